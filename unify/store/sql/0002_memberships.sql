-- The catalog, version 2: who is in which segment, run by run.

-- What a run was about: the generation it published, or the one whose segments it refreshed. Null: it published nothing.
ALTER TABLE runs ADD COLUMN generation INTEGER REFERENCES generations (number);
UPDATE runs SET generation = number WHERE number IN (SELECT number FROM generations);

-- One row per segment and run that looked at it. Rows stay; `file` becomes null when the members are no longer kept.
CREATE TABLE memberships (
    run        INTEGER NOT NULL REFERENCES runs (number),
    segment    TEXT NOT NULL,
    generation INTEGER NOT NULL REFERENCES generations (number),
    state      TEXT NOT NULL CHECK (state IN ('refreshed', 'carried', 'failed')),
    members    INTEGER,               -- how many; null: there never were any to carry
    file       TEXT,                  -- memberships/<file>: a roaring bitmap of ordinals
    facts      TEXT NOT NULL,         -- JSON: clock, definition, as_of, rules, seconds, error
    PRIMARY KEY (run, segment)
) WITHOUT ROWID;
CREATE INDEX memberships_of_generations ON memberships (generation, segment, run);

-- One row per generation built with segments: what became of customers since the generation it was built on.
CREATE TABLE identity_changes (
    run    INTEGER PRIMARY KEY REFERENCES generations (number),
    parent INTEGER,                   -- that generation; null: the first one
    file   TEXT                       -- memberships/<file>: merges, splits, retirements; null: there were none
);

-- One row per definition that was ever evaluated, by the hash of its text: what a segment said in a past run.
CREATE TABLE segment_texts (
    hash TEXT PRIMARY KEY,
    body TEXT NOT NULL                -- JSON
) WITHOUT ROWID;
