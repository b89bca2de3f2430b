-- Tables of the packages in records.sqlite: written in the transaction that writes rows of a target, gone when the
-- execution has ended. Without them nobody could tell after a kill which rows of a target are there.

-- One row per step at work: rows up to that RowId are through.
CREATE TABLE IF NOT EXISTS package_progress (
    token     TEXT NOT NULL,                -- executions.token
    place     INTEGER NOT NULL,
    upto      INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    PRIMARY KEY (token, place)
);

-- One row per row that the target refused.
CREATE TABLE IF NOT EXISTS package_refused (
    token   TEXT NOT NULL,
    place   INTEGER NOT NULL,
    row_id  INTEGER NOT NULL,
    field   TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (token, place, row_id)
);
