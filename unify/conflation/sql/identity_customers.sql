-- One row per cluster that becomes a customer: its smallest record, which would found the CustomerId.
SELECT clusters.cluster, records.entity, records.key
FROM (SELECT DISTINCT cluster FROM clusters ANTI JOIN dropped USING (rid)) AS clusters
JOIN records ON records.rid = clusters.cluster
