"""One file per action: its fields, default mapping, default trigger and one function."""
