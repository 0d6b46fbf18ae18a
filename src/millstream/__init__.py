"""Millstream: a self-hosted customer-data pipeline for HubSpot."""

__version__ = "0.1.0"
