"""The tracking API: accept, translate, append. Knows nothing downstream of the log."""
