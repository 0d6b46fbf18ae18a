-- Items that were not valid events; before, they only stood in the log, for as long as its files.
CREATE TABLE rejection (
    number INTEGER PRIMARY KEY,      -- without gaps, so that the oldest of too many are found without counting
    "offset" INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    payload TEXT NOT NULL            -- the first 2 kB of the item
) STRICT;
CREATE INDEX rejection_received ON rejection (received_ms);
