-- One row per id ever given. `successor` of a retired id is the active id it resolves to, however long the chain; null
-- when it is active, or when its customer is gone with its records.
WITH retired_now AS (
    SELECT ledger.CustomerId, nullif(claims.survivor, ledger.CustomerId) AS successor
    FROM ledger
    LEFT JOIN claims USING (CustomerId)
    WHERE ledger.retired_run IS NULL AND claims.survivor IS DISTINCT FROM ledger.CustomerId
)
SELECT
    ledger.CustomerId, ledger.ordinal, ledger.founded_by_entity, ledger.founded_by_key, ledger.founded_run,
    CASE WHEN gone.CustomerId IS NULL THEN ledger.retired_run ELSE $run END AS retired_run,
    CASE
        WHEN gone.CustomerId IS NOT NULL THEN gone.successor
        WHEN heir.CustomerId IS NOT NULL THEN heir.successor
        ELSE ledger.successor
    END AS successor,
    ledger.split_from
FROM ledger
LEFT JOIN retired_now AS gone ON gone.CustomerId = ledger.CustomerId
LEFT JOIN retired_now AS heir ON heir.CustomerId = ledger.successor
UNION ALL
SELECT CustomerId, ordinal, entity, key, $run, NULL, NULL, split_from
FROM founded
ORDER BY ordinal
