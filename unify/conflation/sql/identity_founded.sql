-- One row per cluster that no old id claims: a new id from its founding record. An id that was ever given is never given
-- again: the record founds with the next salt.
WITH RECURSIVE attempt AS (
    SELECT cluster, entity, key, 0 AS salt, md5(entity || '|' || key) AS CustomerId
    FROM customers
    WHERE cluster NOT IN (SELECT cluster FROM claims)
    UNION ALL
    SELECT cluster, entity, key, salt + 1, md5(entity || '#' || (salt + 1) || '|' || key)
    FROM attempt
    WHERE CustomerId IN (SELECT CustomerId FROM ledger)
)
SELECT
    attempt.CustomerId,
    cluster,
    entity,
    key,
    CAST((SELECT coalesce(greatest(max(ordinal), $above), $above) FROM ledger) + row_number() OVER (ORDER BY cluster) AS INTEGER) AS ordinal,
    split.split_from
FROM attempt
LEFT JOIN (
    SELECT cluster, list_sort(list(CustomerId)) AS split_from FROM parts GROUP BY cluster
) AS split USING (cluster)
WHERE attempt.CustomerId NOT IN (SELECT CustomerId FROM ledger)
