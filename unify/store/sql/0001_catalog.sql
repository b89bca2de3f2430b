-- The catalog, version 1. Times are UTC, ISO 8601; JSON is text.

-- One row per attempt to build a generation. A number is given once, to the run and to its file, and never again.
CREATE TABLE runs (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   TEXT NOT NULL UNIQUE,
    state    TEXT NOT NULL CHECK (state IN ('running', 'published', 'failed', 'killed')),
    purpose  TEXT NOT NULL,
    project  TEXT NOT NULL,           -- hash of the project file, '' when there is none
    pid      INTEGER NOT NULL,
    host     TEXT NOT NULL,
    started  TEXT NOT NULL,
    finished TEXT,                    -- killed: when the next run noticed
    report   TEXT,                    -- JSON; published runs have one
    error    TEXT                     -- JSON; failed and killed runs have one
);

-- The lease admits one writer; this says so a second time, where it can be enforced.
CREATE UNIQUE INDEX one_run_at_a_time ON runs (state) WHERE state = 'running';

-- One row per generation ever published.
CREATE TABLE generations (
    number    INTEGER PRIMARY KEY REFERENCES runs (number),
    published TEXT NOT NULL,
    bytes     INTEGER NOT NULL,
    rows      TEXT NOT NULL,          -- JSON: table to row count
    summary   TEXT NOT NULL,          -- JSON, whatever the publisher wants listed
    retired   TEXT                    -- not null: no longer offered; its file goes when nobody reads it
);

-- One row per change of what readers see, in order. The last row is the published generation.
CREATE TABLE publications (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    number   INTEGER NOT NULL REFERENCES generations (number),
    at       TEXT NOT NULL,
    why      TEXT NOT NULL CHECK (why IN ('run', 'rollback'))
);

-- One row per version of a declared thing. Versions count up from 1 and stay.
CREATE TABLE definitions (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL,            -- JSON
    saved   TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
);

-- One row per number that only grows, whatever is rolled back: e.g. the highest ordinal ever given to a customer.
CREATE TABLE marks (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);
