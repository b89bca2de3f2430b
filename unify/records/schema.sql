-- The record store's own tables. Those of its owners are called t_<name>; see unify/records/tables.py.
CREATE TABLE IF NOT EXISTS clock (          -- one row: the version of the latest write, over all tables
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    defined INTEGER NOT NULL,               -- the version at which a table was last made, changed or dropped
    stamp   TEXT NOT NULL,                  -- drawn anew at that moment: equal stamps, equal definitions
    purged  INTEGER NOT NULL                -- the latest version whose entry in gone was let go
);
INSERT OR IGNORE INTO clock VALUES (1, 0, 0, '', 0);
CREATE TABLE IF NOT EXISTS definitions (    -- one row a table
    name    TEXT PRIMARY KEY,
    body    TEXT NOT NULL,                  -- JSON, see unify/records/definitions.py
    version INTEGER NOT NULL                -- of the clock when it was defined or changed
);
CREATE TABLE IF NOT EXISTS gone (           -- rows that were deleted, so that who follows a table hears of it
    name    TEXT NOT NULL,
    key     TEXT NOT NULL,                  -- JSON list of the key's values as they were held
    version INTEGER NOT NULL,
    at      TEXT NOT NULL                   -- UTC
);
CREATE INDEX IF NOT EXISTS gone_by_version ON gone (name, version);
CREATE INDEX IF NOT EXISTS gone_by_time ON gone (at);
