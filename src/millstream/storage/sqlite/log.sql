-- One file of the event log. One row is what one group commit wrote, at most 2,000 records.
CREATE TABLE block (
    base INTEGER PRIMARY KEY,        -- offset of the first record
    n INTEGER NOT NULL,              -- how many records
    received_max INTEGER NOT NULL,   -- newest receipt, epoch milliseconds
    header BLOB NOT NULL,            -- columns, see eventlog/block.py
    body BLOB NOT NULL               -- zstd of all bodies
) STRICT;
CREATE INDEX block_received ON block (received_max);
-- At most one row: the zstd dictionary that later blocks of this file were compressed with.
CREATE TABLE dictionary (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    body BLOB NOT NULL
) STRICT;
