"""The ports on SQLite files: log/<base>.db and state.db."""
