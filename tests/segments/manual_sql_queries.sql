SELECT "CustomerId" FROM Customer
;; SELECT CustomerId FROM customer WHERE city = 'Foxglove'
;; FROM Customer SELECT "CustomerId" WHERE "RewardPoints" BETWEEN 100 AND 5000
;; SELECT DISTINCT "CustomerId" FROM UnifiedActivity WHERE "ActivityType" = 'SalesOrder'
;; SELECT "CustomerId" FROM UnifiedActivity GROUP BY "CustomerId" HAVING count(*) >= 3
;; SELECT "CustomerId" FROM UnifiedActivity GROUP BY ALL HAVING max("ActivityTime") > TIMESTAMP '2025-06-01'
;; SELECT c."CustomerId" FROM Customer AS c JOIN UnifiedActivity AS a USING ("CustomerId") WHERE a."Title" LIKE '%a%'
;; SELECT c."CustomerId" FROM Customer c LEFT JOIN UnifiedActivity a USING (ordinal) WHERE a.ordinal IS NULL
;; SELECT "CustomerId" FROM Customer WHERE EXISTS (SELECT 1 FROM UnifiedActivity a WHERE a.ordinal = Customer.ordinal)
;; SELECT "CustomerId" FROM Customer c WHERE NOT EXISTS (FROM UnifiedActivity a WHERE a.ordinal = c.ordinal)
;; SELECT "CustomerId" FROM Customer WHERE ordinal IN (SELECT ordinal FROM UnifiedActivity WHERE "RangeIndex" % 2 = 0)
;; SELECT "CustomerId" FROM Customer ANTI JOIN UnifiedActivity USING (ordinal)
;; SELECT "CustomerId" FROM Customer SEMI JOIN UnifiedActivity USING (ordinal)
;; SELECT m."CustomerId" FROM members m JOIN crm_Contacts k ON k."ContactId" = m.key WHERE m.entity = 'crm.Contacts' AND k."State" IS NOT NULL
;; SELECT m."CustomerId" FROM web_Orders o JOIN members m ON m.entity = 'web.SignUps' AND m.key = o."UserId" GROUP BY 1 HAVING sum(o."Total") > 100
;; SELECT "CustomerId" FROM (SELECT "CustomerId", row_number() OVER (PARTITION BY "CustomerId" ORDER BY "ActivityTime" DESC, "ActivityId") AS r, "ActivityType" AS t FROM UnifiedActivity) WHERE r = 1 AND t = 'SalesOrder'
;; SELECT "CustomerId" FROM UnifiedActivity QUALIFY rank() OVER (PARTITION BY "ActivityType" ORDER BY "ActivityTime" DESC NULLS LAST) <= 20
;; SELECT "CustomerId" FROM (SELECT "CustomerId", lag("ActivityTime") OVER w AS before, "ActivityTime" AS t FROM UnifiedActivity WINDOW w AS (PARTITION BY ordinal ORDER BY "ActivityTime", "ActivityId")) WHERE t - before > INTERVAL 30 DAY
;; SELECT "CustomerId" FROM (SELECT "CustomerId", sum("RangeIndex") OVER (PARTITION BY ordinal ORDER BY "ActivityTime", "ActivityId" ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM UnifiedActivity) WHERE s > 5000000000
;; WITH spent AS (SELECT "UserId", sum("Total") AS total FROM web_Orders GROUP BY 1) SELECT m."CustomerId" FROM spent JOIN members m ON m.key = "UserId" WHERE total > (SELECT avg(total) FROM spent)
;; WITH a AS (SELECT ordinal FROM UnifiedActivity), b AS MATERIALIZED (SELECT DISTINCT ordinal FROM a) SELECT "CustomerId" FROM Customer JOIN b USING (ordinal)
;; WITH Customer AS (SELECT "CustomerId", upper("City") AS city FROM Customer) SELECT "CustomerId" FROM Customer WHERE city LIKE 'F%'
;; WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i * 2 FROM n WHERE i < 500) SELECT "CustomerId" FROM Customer JOIN n ON n.i = ordinal
;; SELECT "CustomerId" FROM Customer WHERE "City" = 'Foxglove' UNION SELECT "CustomerId" FROM Customer WHERE "Tier" = 'Gold'
;; (SELECT "CustomerId" FROM Customer) EXCEPT (SELECT "CustomerId" FROM UnifiedActivity)
;; SELECT "CustomerId" FROM Customer INTERSECT SELECT "CustomerId" FROM UnifiedActivity
;; SELECT "CustomerId" FROM Customer ORDER BY "RewardPoints" DESC NULLS LAST, "CustomerId" LIMIT 25
;; SELECT "CustomerId" FROM Customer ORDER BY ordinal LIMIT 10 OFFSET 5
;; SELECT DISTINCT ON ("City") "CustomerId" FROM Customer ORDER BY "City", ordinal
;; SELECT "CustomerId" FROM Customer WHERE CASE WHEN "RewardPoints" > 1000 THEN 'big' WHEN "RewardPoints" IS NULL THEN 'none' ELSE 'small' END = 'big'
;; SELECT "CustomerId" FROM Customer WHERE lower(trim("EMail")) ILIKE '%@%.%' AND length("FullName") > 10 AND "City" NOT IN ('Foxglove', 'X')
;; SELECT "CustomerId" FROM Customer WHERE regexp_matches("EMail", '^[a-m].*@') AND NOT starts_with("FullName", 'A')
;; SELECT "CustomerId" FROM Customer WHERE date_part('month', "DateOfBirth") = 3 OR year("DateOfBirth") < 1960
;; SELECT "CustomerId" FROM Customer WHERE jaro_winkler_similarity("FirstName", 'Anna') > 0.9
;; SELECT "CustomerId" FROM Customer WHERE coalesce("RewardPoints", 0) // 100 BETWEEN 1 AND 9 AND TRY_CAST("PostCode" AS INT) IS NOT NULL
;; SELECT "CustomerId" FROM UnifiedActivity WHERE json_extract_string("SemanticData", '$.event') IS NOT NULL OR "SemanticData" LIKE '{%'
;; SELECT "CustomerId" FROM UnifiedActivity GROUP BY 1 HAVING count(*) FILTER (WHERE "ActivityType" = 'Feedback') > 0 AND count(DISTINCT "Title") > 1
;; SELECT "CustomerId" FROM Customer, unnest(string_split("crm_Contacts_ContactId_Alternate", ';')) AS u(key) WHERE key LIKE 'C-1%'
;; SELECT "CustomerId" FROM UnifiedActivity GROUP BY 1 HAVING list_contains(list("ActivityType"), 'Feedback') AND len(list_filter(list("Title"), lambda x: x IS NOT NULL)) > 0
;; SELECT "CustomerId" FROM Customer WHERE ("City", "Tier") IN (SELECT "City", "Tier" FROM Customer WHERE "RewardPoints" > 4000)
;; SELECT "CustomerId" FROM Customer WHERE "RewardPoints" > ALL (SELECT "Rating" * 100 FROM web_Reviews) AND "Tier" IS DISTINCT FROM 'Gold'
;; SELECT a."CustomerId" FROM UnifiedActivity a ASOF JOIN web_Reviews r ON a."ActivityTime" >= r."ReviewedOn" WHERE r."Rating" >= 4
;; SELECT "CustomerId" FROM Customer NATURAL JOIN (SELECT DISTINCT ordinal FROM UnifiedActivity)
;; SELECT "CustomerId" FROM (SELECT * EXCLUDE ("City") FROM Customer) WHERE "Street" COLLATE NOCASE < 'm'
;; SELECT "CustomerId" FROM Customer GROUP BY GROUPING SETS (("CustomerId")) -- a comment; with a semicolon
;; /* before */ SELECT "CustomerId" FROM Customer WHERE "FullName" <> ';--' /* after */ ;
