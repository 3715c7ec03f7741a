-- name: page
-- A page of drivers in order of their number, as the caller's role needs them.
SELECT d.id, d.licence, d.name, o.code, d.licence_class, d.licence_until::text, d.retired_at,
       d.erased_at, d.version, d.id
FROM visible_drivers d LEFT JOIN operators o ON o.id = d.operator_id
WHERE (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(after)s::bigint IS NULL OR d.id > %(after)s)
ORDER BY d.id LIMIT %(rows)s

-- name: driver
-- One driver.
SELECT d.id, d.licence, d.name, o.code, d.licence_class, d.licence_until::text, d.retired_at,
       d.erased_at, d.version
FROM visible_drivers d LEFT JOIN operators o ON o.id = d.operator_id WHERE d.id = %(driver)s

-- name: spans
-- When a driver drove what, newest first.
SELECT v.plate, s.started_at, s.ended_at, s.is_open, s.distance_m
FROM driving_spans s JOIN vehicles v ON v.id = s.vehicle_id
WHERE s.driver_id = %(driver)s ORDER BY s.started_at DESC LIMIT %(rows)s

-- name: violations
-- What a driver was found to have done, newest first.
SELECT x.id, x.kind, v.plate, x.started_at, x.ended_at, x.status, x.review
FROM violations x JOIN vehicles v ON v.id = x.vehicle_id
WHERE x.driver_id = %(driver)s ORDER BY x.started_at DESC, x.id DESC LIMIT %(rows)s

-- name: erase
-- Erase who a driver is, unless something has to be kept.
SELECT e.kept_until FROM erase_driver(%(driver)s, %(kept_days)s) e
