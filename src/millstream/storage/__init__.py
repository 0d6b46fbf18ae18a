"""Adapters of the ports: memory and SQLite. SQL lives in .sql files."""
