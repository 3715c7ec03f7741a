-- name: by_key
-- The violations of these keys as they stand, if there are any.
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(kind)s::text[], %(vehicle)s, %(started)s, %(subject)s::text[])
     AS k (kind, vehicle_id, started_at, subject)
JOIN violations v ON v.kind = k.kind AND v.vehicle_id = k.vehicle_id
    AND v.started_at = k.started_at AND v.subject = k.subject AND v.status <> 'withdrawn'

-- name: after
-- What fixes have shown of each vehicle and may yet change: what began after its last settled fix,
-- and what was pending then. What does not come from its fixes is left out.
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(vehicle)s, %(settled)s) AS k (vehicle_id, settled)
JOIN violations v ON v.vehicle_id = k.vehicle_id AND v.started_at > k.settled
WHERE v.status <> 'withdrawn' AND v.kind <> ALL (%(not_of_fixes)s::text[])
UNION
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(pending_kind)s::text[], %(pending_vehicle)s, %(pending_subject)s::text[],
            %(pending_started)s) AS p (kind, vehicle_id, subject, started_at)
JOIN violations v ON v.kind = p.kind AND v.vehicle_id = p.vehicle_id
    AND v.subject = p.subject AND v.started_at = p.started_at AND v.status <> 'withdrawn'

-- name: across
-- When those of some vehicles' violations ended that had begun before an instant and ended after it.
SELECT v.kind, v.vehicle_id, v.subject, max(v.ended_at)
FROM violations v
WHERE v.vehicle_id = ANY (%(vehicle)s) AND v.started_at < %(first)s AND v.ended_at >= %(first)s
  AND v.status <> 'withdrawn'
GROUP BY 1, 2, 3

-- name: of_route
-- The violations of one kind about a route, of any vehicle, that began in a span of time.
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM violations v
WHERE v.kind = %(kind)s AND v.subject = %(subject)s AND v.started_at >= %(first)s
  AND v.started_at < %(last)s AND v.status <> 'withdrawn'

-- name: open_since
-- When the earliest open violation of a kind began, of each vehicle that has one.
SELECT v.vehicle_id, (extract(epoch FROM min(v.started_at)) * 1000000)::bigint
FROM violations v
WHERE v.vehicle_id = ANY (%(vehicle)s) AND v.kind = %(kind)s AND v.status = 'open'
GROUP BY v.vehicle_id

-- name: of_kind_since
-- The violations of one kind of each vehicle that began at its instant or later.
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
JOIN violations v ON v.vehicle_id = k.vehicle_id AND v.started_at >= k.since
WHERE v.kind = %(kind)s AND v.status <> 'withdrawn'

-- name: archive
-- Keep rows as they are, before they are superseded.
WITH old AS (SELECT * FROM violations WHERE id = ANY(%(id)s) FOR UPDATE)
INSERT INTO violation_versions (violation_id, version, facts, superseded_by, reason)
SELECT old.id, old.version, to_jsonb(old), %(by)s, %(reason)s FROM old

-- name: withdraw
-- Say of violations that they never were.
UPDATE violations SET status = 'withdrawn', version = version + 1, changed_at = now(),
    revised_under_review = revised_under_review OR review <> 'new', proposal = NULL
WHERE id = ANY(%(id)s)

-- name: park
-- Free the keys of rows whose start moves, so that they can take each other's; `update` follows.
UPDATE violations SET status = 'withdrawn' WHERE id = ANY(%(id)s)

-- name: update
-- New facts for known violations; bump: 1 makes it a new version.
UPDATE violations v SET
    rule_profile = k.rule_profile, driver_id = nullif(k.driver_id, -1), started_at = k.started_at,
    ended_at = k.ended_at, duration_s = k.duration_s, distance_m = k.distance_m, fixes = k.fixes,
    start_lon = k.start_lon, start_lat = k.start_lat, end_lon = k.end_lon, end_lat = k.end_lat,
    details = k.details::jsonb, status = k.status, version = v.version + k.bump, changed_at = now(),
    revised_under_review = v.revised_under_review OR (k.bump > 0 AND v.review <> 'new'),
    proposal = CASE WHEN k.bump = 0 THEN v.proposal END
FROM unnest(%(id)s, %(bump)s, %(profile)s::text[], %(driver)s, %(started)s, %(ended)s,
            %(duration_s)s, %(distance_m)s, %(fixes)s, %(start_lon)s, %(start_lat)s, %(end_lon)s,
            %(end_lat)s, %(details)s::text[], %(status)s::text[])
     AS k (id, bump, rule_profile, driver_id, started_at, ended_at, duration_s, distance_m, fixes,
           start_lon, start_lat, end_lon, end_lat, details, status)
WHERE v.id = k.id

-- name: insert
-- Violations that are seen for the first time.
INSERT INTO violations (kind, subject, vehicle_id, rule_profile, driver_id, started_at, ended_at,
                        duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat,
                        details, status)
SELECT k.kind, k.subject, k.vehicle_id, k.rule_profile, nullif(k.driver_id, -1), k.started_at,
       k.ended_at, k.duration_s, k.distance_m, k.fixes, k.start_lon, k.start_lat, k.end_lon,
       k.end_lat, k.details::jsonb, k.status
FROM unnest(%(kind)s::text[], %(subject)s::text[], %(vehicle)s, %(profile)s::text[], %(driver)s,
            %(started)s, %(ended)s, %(duration_s)s, %(distance_m)s, %(fixes)s, %(start_lon)s,
            %(start_lat)s, %(end_lon)s, %(end_lat)s, %(details)s::text[], %(status)s::text[])
     AS k (kind, subject, vehicle_id, rule_profile, driver_id, started_at, ended_at, duration_s,
           distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details, status)

-- name: driving
-- Driving times since an instant of each driver, and of each vehicle whose driver nobody knows; the
-- latter fenced off by OFFSET 0 from the index by driver, where nobody's lie together.
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(driver)s, %(driver_since)s) AS k (driver_id, since)
JOIN violations v ON v.driver_id = k.driver_id AND v.started_at >= k.since
WHERE v.status <> 'withdrawn' AND v.kind = ANY (%(kind)s::text[])
UNION ALL
SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile, v.driver_id,
       v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat, v.end_lon,
       v.end_lat, v.details
FROM unnest(%(vehicle)s, %(vehicle_since)s) AS k (vehicle_id, since)
CROSS JOIN LATERAL (
    SELECT * FROM violations v
    WHERE v.vehicle_id = k.vehicle_id AND v.started_at >= k.since
    ORDER BY v.started_at DESC OFFSET 0
) v
WHERE v.status <> 'withdrawn' AND v.kind = ANY (%(kind)s::text[]) AND v.driver_id IS NULL
