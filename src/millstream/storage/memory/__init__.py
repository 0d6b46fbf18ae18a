"""The ports in memory: a real adapter that passes the same conformance suite."""
