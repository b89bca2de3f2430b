-- Tables of the management API. Times are UTC, ISO 8601; JSON is text.

-- One row per instance that the API has made or changed; others are told as their directory shows them.
CREATE TABLE IF NOT EXISTS instances (
    id         TEXT PRIMARY KEY,
    said       TEXT NOT NULL,      -- JSON: the keys of InstanceMetadata that a caller may say
    version    INTEGER NOT NULL,
    created    TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated    TEXT NOT NULL,
    updated_by TEXT NOT NULL
) WITHOUT ROWID;

-- One row per id that an instance was deleted or reset under: the last number that any of its runs had. Numbers go on
-- from there, so that what is remembered of a generation by its number is never taken for another one.
CREATE TABLE IF NOT EXISTS last_runs (
    id   TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per reset that is under way: the folder that takes the place of the instance.
CREATE TABLE IF NOT EXISTS resets (
    id   TEXT PRIMARY KEY,
    made TEXT NOT NULL
) WITHOUT ROWID;
