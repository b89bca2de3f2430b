-- One row per id that still has records: the cluster with most of them (then the founding record, then the smallest
-- rid), and whether the id is the oldest of those that claim this cluster and so survives.
SELECT
    claim.CustomerId,
    claim.cluster,
    ledger.ordinal,
    first_value(claim.CustomerId) OVER oldest AS survivor
FROM (
    SELECT CustomerId, cluster
    FROM parts
    QUALIFY row_number() OVER (PARTITION BY CustomerId ORDER BY records DESC, has_founder DESC, first_rid) = 1
) AS claim
JOIN ledger ON ledger.CustomerId = claim.CustomerId
WINDOW oldest AS (PARTITION BY claim.cluster ORDER BY ledger.founded_run, ledger.ordinal)
