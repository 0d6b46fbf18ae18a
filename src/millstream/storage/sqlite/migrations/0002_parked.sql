-- Effects whose record HubSpot refuses for now; before, they only rested in memory.
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
