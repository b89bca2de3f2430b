-- One row per record that belongs to a customer.
SELECT
    clusters.rid,
    records.entity,
    records.key,
    coalesce(winners.winner, clusters.rid) AS winner,
    coalesce(winners.winner, clusters.rid) = clusters.rid AS is_winner,
    given.ordinal,
    given.CustomerId
FROM clusters
JOIN records USING (rid)
JOIN (
    SELECT cluster, CustomerId, ordinal FROM claims WHERE CustomerId = survivor
    UNION ALL
    SELECT cluster, CustomerId, ordinal FROM founded
) AS given USING (cluster)
LEFT JOIN winners USING (rid)
ANTI JOIN dropped USING (rid)
ORDER BY clusters.rid
