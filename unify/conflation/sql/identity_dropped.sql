-- One row per record that matched nothing (no record of another entity in its cluster) and whose entity keeps only
-- records that matched something.
SELECT records.rid, records.entity
FROM clusters
JOIN records USING (rid)
JOIN (
    SELECT cluster
    FROM clusters JOIN records USING (rid)
    GROUP BY cluster
    HAVING min(entity_no) = max(entity_no)
) AS alone USING (cluster)
WHERE list_contains($matched_only, records.entity)
