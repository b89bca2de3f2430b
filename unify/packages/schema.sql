-- packages.sqlite of an instance. Times are UTC, ISO 8601, so that they compare as text.

-- One row per entity that was defined by hand or by a package.
CREATE TABLE IF NOT EXISTS entities (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    body TEXT NOT NULL                      -- JSON, see unify/packages/kept.py
);

-- One row per data project (definition group).
CREATE TABLE IF NOT EXISTS projects (
    name        TEXT PRIMARY KEY COLLATE NOCASE,
    operation   TEXT NOT NULL,              -- Import, Export
    description TEXT NOT NULL,
    category    TEXT NOT NULL
);

-- One row per entity of a project.
CREATE TABLE IF NOT EXISTS project_entities (
    project          TEXT NOT NULL COLLATE NOCASE REFERENCES projects (name) ON DELETE CASCADE,
    entity           TEXT NOT NULL COLLATE NOCASE,
    place            INTEGER NOT NULL,
    body             TEXT NOT NULL,         -- JSON
    exported_version INTEGER,               -- of the record store, up to where the last successful export had told
    PRIMARY KEY (project, entity)
);

-- One row per execution; kept for seven days after its end.
CREATE TABLE IF NOT EXISTS executions (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE COLLATE NOCASE,
    token     TEXT NOT NULL,                -- of the progress in records.sqlite
    project   TEXT NOT NULL COLLATE NOCASE,
    operation TEXT NOT NULL,
    status    TEXT NOT NULL,
    options   TEXT NOT NULL,                -- JSON
    package   TEXT,                         -- name of the file in packages/<number>/
    submitted TEXT NOT NULL,
    started   TEXT,
    ended     TEXT,
    planned   INTEGER NOT NULL DEFAULT 0,   -- whether its steps are known
    cancel    TEXT,                         -- when somebody asked to
    error     TEXT NOT NULL DEFAULT '',
    findings  TEXT NOT NULL DEFAULT '[]'    -- JSON
);

-- One row per entity of an execution, or per part of a composite one, in the order in which they run.
CREATE TABLE IF NOT EXISTS steps (
    execution      INTEGER NOT NULL REFERENCES executions (number) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    entity         TEXT NOT NULL COLLATE NOCASE,   -- as the package calls it
    part           TEXT NOT NULL DEFAULT '',
    body           TEXT NOT NULL,                  -- JSON: definition, columns of the file, order, flags
    staging        TEXT NOT NULL DEFAULT 'NotRun',
    target         TEXT NOT NULL DEFAULT 'NotRun',
    checked        INTEGER NOT NULL DEFAULT 0,     -- whether what can be told from staging alone was refused
    file_rows      INTEGER NOT NULL DEFAULT 0,
    staged         INTEGER NOT NULL DEFAULT 0,
    staging_errors INTEGER NOT NULL DEFAULT 0,
    created        INTEGER NOT NULL DEFAULT 0,
    updated        INTEGER NOT NULL DEFAULT 0,
    unchanged      INTEGER NOT NULL DEFAULT 0,
    refused        INTEGER NOT NULL DEFAULT 0,
    exported       INTEGER NOT NULL DEFAULT 0,
    since          INTEGER,
    version        INTEGER,
    error          TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (execution, place)
);

-- One row per row and column that did not arrive. Staged rows are in tables of their own, staging_<execution>_<place>.
CREATE TABLE IF NOT EXISTS row_errors (
    execution INTEGER NOT NULL REFERENCES executions (number) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    step      TEXT NOT NULL,                -- staging, target
    row_id    INTEGER NOT NULL,             -- number of the row in its file, from 1
    line      INTEGER,                      -- of the file, where the reader told
    field     TEXT NOT NULL,
    message   TEXT NOT NULL,
    record    TEXT NOT NULL DEFAULT '',     -- its key, for people
    said      TEXT                          -- JSON of a row that did not reach staging: field → text, or the line
);
CREATE INDEX IF NOT EXISTS row_errors_of_step ON row_errors (execution, place, step, row_id);
