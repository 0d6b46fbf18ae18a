"""One file per family of calls: rows in, one result per row out."""
