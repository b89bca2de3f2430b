-- One row per active id that had other ids before: those that resolve to it now, and those it was split from.
SELECT CustomerId, string_agg(DISTINCT previous, ';' ORDER BY previous) AS PreviousCustomerId
FROM (
    SELECT successor AS CustomerId, CustomerId AS previous FROM customer_ids WHERE successor IS NOT NULL
    UNION ALL
    SELECT CustomerId, unnest(split_from) FROM customer_ids WHERE retired_run IS NULL
) AS each_one
GROUP BY CustomerId
