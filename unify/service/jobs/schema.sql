-- Times are UTC, ISO 8601 with milliseconds, so that they compare as text.

-- One row per job ever submitted. status: queued, running, successful, failed, aborted, timedOut.
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    operation TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- full, incremental
    submission TEXT NOT NULL,           -- onDemand, scheduled
    identifiers TEXT NOT NULL,          -- JSON list
    forced INTEGER NOT NULL,
    inputs TEXT NOT NULL,               -- the vendor's inputRefreshMode
    options TEXT NOT NULL,              -- JSON object
    submitted_by TEXT NOT NULL,
    submitted TEXT NOT NULL,
    status TEXT NOT NULL,
    not_before TEXT,                    -- of a queued one that waits for another writer
    note TEXT,                          -- why it waits, or what happened to it
    cancel TEXT,                        -- when somebody asked to
    attempt TEXT,                       -- token of the process that may write about it
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,  -- processes that ended without a word
    pid INTEGER,
    started TEXT,
    ended TEXT,
    run INTEGER,                        -- of the instance
    error TEXT                          -- JSON: error, message, where, hint
);
CREATE INDEX IF NOT EXISTS jobs_of_instance ON jobs (instance, number);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (status, instance) WHERE status IN ('queued', 'running');

-- One row per task of a job, in order.
CREATE TABLE IF NOT EXISTS tasks (
    job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    identifier TEXT,                    -- a data source, a segment, a table
    status TEXT NOT NULL,               -- as of jobs, and skipped
    note TEXT,                          -- the step it is at
    started TEXT,
    ended TEXT,
    errors TEXT NOT NULL DEFAULT '[]',  -- JSON list
    PRIMARY KEY (job_id, place)
);

-- One row per schedule.
CREATE TABLE IF NOT EXISTS schedules (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule_id TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    operation TEXT NOT NULL,
    kind TEXT NOT NULL,
    identifiers TEXT NOT NULL,
    active INTEGER NOT NULL,
    timezone TEXT NOT NULL,             -- as it was given: IANA or Windows
    crons TEXT NOT NULL,                -- JSON list
    next_at TEXT,                       -- null: inactive, or it has no next time
    last_at TEXT,                       -- when it fired last
    last_job TEXT,
    saved_by TEXT NOT NULL,
    saved TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;

-- One row per subscription.
CREATE TABLE IF NOT EXISTS webhooks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,               -- JSON list of kinds
    segments TEXT,                      -- JSON list; null: all
    secret TEXT NOT NULL,
    active INTEGER NOT NULL,
    description TEXT,
    saved_by TEXT NOT NULL,
    saved TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS webhooks_of_instance ON webhooks (instance, number);

-- One row per subscription that is a step of a Dataverse service endpoint (unify/service/jobs/endpoints.py).
CREATE TABLE IF NOT EXISTS endpoints (
    webhook_id TEXT PRIMARY KEY REFERENCES webhooks (webhook_id) ON DELETE CASCADE,  -- the id of the step
    headers TEXT NOT NULL               -- JSON: headers that show who sends
);

-- One row per event; event_id is made of run, kind, segment and part, so that telling a run twice adds nothing.
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,
    run INTEGER NOT NULL,
    body TEXT NOT NULL,                 -- JSON, the very bytes that are signed and sent
    made TEXT NOT NULL
);

-- One row per event and subscription that it goes to. state: pending, delivered, dead.
CREATE TABLE IF NOT EXISTS deliveries (
    event_id TEXT NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    webhook_id TEXT NOT NULL REFERENCES webhooks (webhook_id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at TEXT,
    last_at TEXT,
    last_status INTEGER,                -- of HTTP; null: no answer came
    last_error TEXT,
    PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_at) WHERE state = 'pending';

-- One row per instance: the last run that was told.
CREATE TABLE IF NOT EXISTS announced (
    instance TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    run_id TEXT NOT NULL                -- another one under this number: another instance of the same name
);

-- One row per segment, measure or hierarchy that the API has made or changed: who, when, and what was sent.
CREATE TABLE IF NOT EXISTS authors (
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,           -- changes over the API, from 1
    created_by TEXT NOT NULL,
    created TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    updated TEXT NOT NULL,
    said TEXT,                          -- JSON: the definition in the words of the client
    PRIMARY KEY (instance, kind, name)
);
