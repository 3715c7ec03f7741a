-- name: page
-- A page of drivers in order of their number, as the caller's role needs them.
SELECT d.id, d.licence, d.name, o.code, d.licence_class, d.licence_until::text, d.retired_at,
       d.erased_at, d.version, d.id
FROM visible_drivers d LEFT JOIN operators o ON o.id = d.operator_id
WHERE (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(retired)s OR d.retired_at IS NULL)
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
-- What a driver was found to have done, or was before it was revised, newest first.
SELECT x.id, x.kind, v.plate, x.started_at, x.ended_at, x.status, x.review
FROM violations x JOIN vehicles v ON v.id = x.vehicle_id
WHERE x.id IN (SELECT k FROM violations_of_driver(%(driver)s) k)
ORDER BY x.started_at DESC, x.id DESC LIMIT %(rows)s

-- name: written
-- What people wrote in reviews of these, newest first.
SELECT r.violation_id, r.at, r.act, r.step, r.reason, r.text, r.role
FROM visible_reviews r
WHERE r.violation_id IN (SELECT k FROM violations_of_driver(%(driver)s) k)
ORDER BY r.at DESC, r.violation_id, r.number DESC LIMIT %(rows)s

-- name: attached
-- Files beside them, newest first.
SELECT a.violation_id, a.id, a.added_at, a.name, a.type, a.bytes, encode(a.sha256, 'hex')
FROM violation_attachments a
WHERE a.violation_id IN (SELECT k FROM violations_of_driver(%(driver)s) k)
ORDER BY a.id DESC LIMIT %(rows)s

-- name: marks
-- What may tell, beside fixes and weighings, who drove.
SELECT m.key, m.value, m.times, m.first_at, m.last_at FROM marks_of_driver(%(driver)s) m
ORDER BY m.key, m.first_at LIMIT %(rows)s

-- name: names
-- What a driver is called in messages; NULL: nothing that the caller may know.
SELECT names_of_driver(%(driver)s)

-- name: quarantined
-- One step of a search of the quarantine for names: where it ended, and what it found. No row: it is
-- over, or not the caller's.
SELECT f.until, f.id, f.received, f.last_seen, f.topic, f.reason, f.payload_bytes, encode(f.digest, 'hex'),
       f.skipped, translate(encode(f.excerpt, 'base64'), E'\n', '')
FROM find_in_quarantine(%(names)s::text[], %(after)s, %(rows)s, %(bytes)s) f

-- name: erase
-- Erase who a driver is, unless something has to be kept.
SELECT e.why, e.kept_until, e.texts, e.files, e.extras
FROM erase_driver(%(driver)s, %(kept_days)s) e
