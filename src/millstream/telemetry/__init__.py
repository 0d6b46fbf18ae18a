"""Metrics (a closed list), structured logs, traces."""
