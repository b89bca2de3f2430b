-- One row per change of this run (split: per new id and old id).
SELECT 'created' AS change, CustomerId, CAST(NULL AS VARCHAR) AS other FROM founded WHERE split_from IS NULL
UNION ALL
SELECT 'split', CustomerId, unnest(split_from) FROM founded
UNION ALL
SELECT 'merged', survivor, CustomerId FROM claims WHERE CustomerId <> survivor
UNION ALL
SELECT 'retired', CustomerId, NULL FROM customer_ids WHERE retired_run = $run AND successor IS NULL
ORDER BY change, CustomerId, other
