-- Who may do what. Every change moves the stamp, by the triggers below: workers look at it twice a second.
CREATE TABLE IF NOT EXISTS access_stamp (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO access_stamp VALUES (1, 0);

-- one row per principal that was ever given something here
CREATE TABLE IF NOT EXISTS access_principals (
    principal TEXT PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('user', 'group', 'app')),
    columns   TEXT NOT NULL DEFAULT '[]',   -- JSON: column classes shown in clear
    created   TEXT NOT NULL
);

-- one row per principal and instance; instance '*': every one
CREATE TABLE IF NOT EXISTS access_roles (
    principal TEXT NOT NULL REFERENCES access_principals ON DELETE CASCADE,
    instance  TEXT NOT NULL,
    role      INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    PRIMARY KEY (principal, instance)
) WITHOUT ROWID;

-- one row per principal and instance of which it sees some customers only
CREATE TABLE IF NOT EXISTS access_segments (
    principal TEXT NOT NULL REFERENCES access_principals ON DELETE CASCADE,
    instance  TEXT NOT NULL,
    segments  TEXT NOT NULL,                -- JSON: customers in one of these; an empty list: nobody
    PRIMARY KEY (principal, instance)
) WITHOUT ROWID;

-- one row per key ever given out; the secret itself is nowhere
CREATE TABLE IF NOT EXISTS access_keys (
    number     INTEGER PRIMARY KEY,          -- its place in rates.bin
    key        TEXT NOT NULL UNIQUE,
    principal  TEXT NOT NULL REFERENCES access_principals ON DELETE CASCADE,
    slot       TEXT NOT NULL CHECK (slot IN ('primary', 'secondary')),
    hash       BLOB NOT NULL,
    created    TEXT NOT NULL,
    expires    REAL,
    revoked    REAL,
    rate       REAL,                         -- requests a second; null: no limit
    burst      INTEGER,
    daily_rows INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS access_keys_live ON access_keys (principal, slot) WHERE revoked IS NULL;

-- one row per column and audience; audience '' (all but admins), 'role:reader' or 'principal:…'
CREATE TABLE IF NOT EXISTS access_columns (
    instance    TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    column_name TEXT NOT NULL,
    audience    TEXT NOT NULL DEFAULT '',
    shown       TEXT NOT NULL CHECK (shown IN ('clear', 'masked', 'hidden')),
    PRIMARY KEY (instance, table_name, column_name, audience)
) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS access_principals_insert AFTER INSERT ON access_principals
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_principals_update AFTER UPDATE ON access_principals
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_principals_delete AFTER DELETE ON access_principals
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_roles_insert AFTER INSERT ON access_roles
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_roles_update AFTER UPDATE ON access_roles
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_roles_delete AFTER DELETE ON access_roles
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_segments_insert AFTER INSERT ON access_segments
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_segments_update AFTER UPDATE ON access_segments
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_segments_delete AFTER DELETE ON access_segments
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_keys_insert AFTER INSERT ON access_keys
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_keys_update AFTER UPDATE ON access_keys
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_keys_delete AFTER DELETE ON access_keys
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_columns_insert AFTER INSERT ON access_columns
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_columns_update AFTER UPDATE ON access_columns
BEGIN UPDATE access_stamp SET value = value + 1; END;
CREATE TRIGGER IF NOT EXISTS access_columns_delete AFTER DELETE ON access_columns
BEGIN UPDATE access_stamp SET value = value + 1; END;

-- one row per key that tokens are signed with
CREATE TABLE IF NOT EXISTS access_signing (
    kid     TEXT PRIMARY KEY,
    created REAL NOT NULL,
    jwk     TEXT NOT NULL
);

-- one row per request that is on record; each holds the hash of the one before
CREATE TABLE IF NOT EXISTS access_audit (
    number INTEGER PRIMARY KEY,
    entry  TEXT NOT NULL,
    hash   BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS access_audit_stays BEFORE DELETE ON access_audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_audit_is_final BEFORE UPDATE ON access_audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
