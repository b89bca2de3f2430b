-- Times are UTC, ISO 8601 with milliseconds, so that they compare as text.

-- One row per key that signs URLs of files; the newest signs, all of them are known.
CREATE TABLE IF NOT EXISTS package_keys (
    key_id TEXT PRIMARY KEY,
    secret BLOB NOT NULL,
    made TEXT NOT NULL
);

-- One row per file that a signed URL may lead to.
CREATE TABLE IF NOT EXISTS package_files (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,                 -- last part of its URL
    blob_id TEXT NOT NULL,
    place TEXT NOT NULL,                -- of the file, inside the instance
    made TEXT NOT NULL,                 -- it is taken away seven days later
    type TEXT,                          -- as it was uploaded
    PRIMARY KEY (instance, name)
);

-- One row per execution that is not ended: what the runner starts. state: queued, running.
CREATE TABLE IF NOT EXISTS package_queue (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    instance TEXT NOT NULL,
    execution TEXT NOT NULL,
    project TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    deaths INTEGER NOT NULL DEFAULT 0,  -- processes that ended before it did
    submitted TEXT NOT NULL,
    UNIQUE (instance, execution)
);

-- One row per recurring job of a data project: what an activity id means.
CREATE TABLE IF NOT EXISTS package_activities (
    activity TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    project TEXT NOT NULL,
    operation TEXT NOT NULL,            -- Import, Export
    name TEXT NOT NULL,
    company TEXT NOT NULL DEFAULT '',
    minutes INTEGER,                    -- of an export: between two; null: on demand
    skip_empty INTEGER NOT NULL DEFAULT 1,
    next_at TEXT,                       -- of an export
    execution TEXT,                     -- of the export at work
    made TEXT NOT NULL
);

-- One row per message: a file that came in, or one that waits to be fetched.
CREATE TABLE IF NOT EXISTS package_messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message TEXT NOT NULL UNIQUE,
    activity TEXT NOT NULL,
    instance TEXT NOT NULL,
    execution TEXT NOT NULL,
    operation TEXT NOT NULL,
    external TEXT NOT NULL DEFAULT '',  -- the sender's own id for it
    receipt TEXT,                       -- what the acknowledgment must name
    dequeued TEXT,
    acked TEXT,
    made TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS package_messages_waiting ON package_messages (activity, number) WHERE acked IS NULL;
