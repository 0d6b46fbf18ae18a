-- What we made in portals' schemas; before, it was counted from the start of the process.
CREATE TABLE made (
    account TEXT NOT NULL,           -- the portal's id
    object TEXT NOT NULL,
    by TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (account, object, by, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX made_at ON made (account, object, by, at_ms);
