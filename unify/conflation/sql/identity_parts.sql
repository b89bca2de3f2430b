-- One row per id and cluster that share records: the part of the old customer that is in this cluster now.
SELECT
    before.CustomerId,
    clusters.cluster,
    count(*) AS records,
    bool_or(before.entity = ledger.founded_by_entity AND before.key = ledger.founded_by_key) AS has_founder,
    min(clusters.rid) AS first_rid
FROM before
JOIN records ON records.entity = before.entity AND records.key = before.key
JOIN (SELECT rid, cluster FROM clusters ANTI JOIN dropped USING (rid)) AS clusters ON clusters.rid = records.rid
JOIN ledger ON ledger.CustomerId = before.CustomerId
GROUP BY before.CustomerId, clusters.cluster
