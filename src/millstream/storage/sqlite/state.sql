-- state.db: everything that is remembered beside the log. Written by one connection; see state.py.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- identity -------------------------------------------------------------------------------------------------------------
CREATE TABLE profile (
    id TEXT PRIMARY KEY,
    body BLOB NOT NULL               -- see profiles/stored.py
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    namespace TEXT NOT NULL,
    value TEXT NOT NULL,
    profile TEXT NOT NULL,
    PRIMARY KEY (namespace, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE merged (
    absorbed TEXT PRIMARY KEY,
    survivor TEXT NOT NULL           -- always one that is not absorbed itself
) STRICT, WITHOUT ROWID;
CREATE INDEX merged_survivor ON merged (survivor);

CREATE TABLE annotation (
    base INTEGER PRIMARY KEY,        -- of the log block
    n INTEGER NOT NULL,
    body BLOB NOT NULL               -- zstd of JSON of the resolutions (at first: of msgpack)
) STRICT;

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

-- delivery -------------------------------------------------------------------------------------------------------------
CREATE TABLE position (
    destination TEXT PRIMARY KEY,
    start INTEGER NOT NULL,
    decided INTEGER NOT NULL,        -- the first undecided offset
    read_to INTEGER NOT NULL         -- how far it had read
) STRICT, WITHOUT ROWID;

CREATE TABLE outcome (
    destination TEXT NOT NULL,
    chunk INTEGER NOT NULL,          -- offset / 500
    states BLOB NOT NULL,            -- one byte an offset: the worst of its effects
    details BLOB NOT NULL,           -- zstd of msgpack: offset -> effects
    PRIMARY KEY (destination, chunk)
) STRICT;

CREATE TABLE waiting (
    destination TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    mapping TEXT NOT NULL,
    effect TEXT NOT NULL,
    profile TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (destination, "offset", mapping, effect)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_profile ON waiting (profile, destination);
CREATE INDEX waiting_since ON waiting (destination, since_ms);

CREATE TABLE parked (
    destination TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    mapping TEXT NOT NULL,
    effect TEXT NOT NULL,
    profile TEXT,
    tries INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (destination, "offset", mapping, effect)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_due ON parked (destination, due_ms);

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    mapping TEXT NOT NULL,
    effect TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,              -- the encoded event: the log may be dropped
    profile TEXT,
    email TEXT,
    request BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX dead_letter_job ON dead_letter (destination, "offset", mapping, effect);
CREATE INDEX dead_letter_profile ON dead_letter (profile);

CREATE TABLE record (
    destination TEXT NOT NULL,
    object TEXT NOT NULL,
    by TEXT NOT NULL,
    value TEXT NOT NULL,
    id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    confirmed BLOB NOT NULL,         -- msgpack of a RecordState: [values, time, offset, earlier]
    PRIMARY KEY (destination, object, by, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE alias (
    destination TEXT NOT NULL,
    object TEXT NOT NULL,
    by TEXT NOT NULL,
    value TEXT NOT NULL,
    canonical_by TEXT NOT NULL,
    canonical_value TEXT NOT NULL,
    PRIMARY KEY (destination, object, by, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_canonical ON alias (destination, object, canonical_by, canonical_value);

CREATE TABLE tally (
    destination TEXT NOT NULL,
    state INTEGER NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (destination, state, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE shadow (
    destination TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    request BLOB NOT NULL
) STRICT;

-- What we made in portals' schemas: limits count it.
CREATE TABLE made (
    account TEXT NOT NULL,           -- the portal's id
    object TEXT NOT NULL,
    by TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (account, object, by, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX made_at ON made (account, object, by, at_ms);
