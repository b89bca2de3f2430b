-- The id that stands today for an id ever given: itself, its successor, or null when its records are gone.
SELECT CASE WHEN retired_run IS NULL THEN CustomerId ELSE successor END AS CustomerId
FROM customer_ids
WHERE CustomerId = $id
