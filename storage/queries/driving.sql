-- name: upsert
-- Spans as far as they are known.
INSERT INTO driving_spans AS d (vehicle_id, started_at, ended_at, driver_id, rule_profile, is_open,
                                is_moving, continues, unseen_s, distance_m, fixes, start_lon,
                                start_lat, end_lon, end_lat)
SELECT k.vehicle_id, k.started_at, k.ended_at, nullif(k.driver_id, -1), k.rule_profile, k.is_open,
       k.is_moving, k.continues, k.unseen_s, k.distance_m, k.fixes, k.start_lon, k.start_lat,
       k.end_lon, k.end_lat
FROM unnest(%(vehicle)s, %(started)s, %(ended)s, %(driver)s, %(profile)s::text[], %(is_open)s,
            %(is_moving)s, %(continues)s, %(unseen_s)s, %(distance_m)s, %(fixes)s, %(start_lon)s,
            %(start_lat)s, %(end_lon)s, %(end_lat)s)
     AS k (vehicle_id, started_at, ended_at, driver_id, rule_profile, is_open, is_moving, continues,
           unseen_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat)
ON CONFLICT (vehicle_id, started_at) DO UPDATE SET
    ended_at = excluded.ended_at, driver_id = excluded.driver_id,
    rule_profile = excluded.rule_profile, is_open = excluded.is_open,
    is_moving = excluded.is_moving, continues = excluded.continues, unseen_s = excluded.unseen_s,
    distance_m = excluded.distance_m, fixes = excluded.fixes, start_lon = excluded.start_lon,
    start_lat = excluded.start_lat, end_lon = excluded.end_lon, end_lat = excluded.end_lat

-- name: after
-- Each vehicle's spans that began after its last settled fix, and those that were pending then.
SELECT d.vehicle_id, coalesce(d.driver_id, -1), d.rule_profile, d.started_at, d.ended_at, d.is_open,
       d.is_moving, d.continues, d.unseen_s, d.distance_m, d.fixes, d.start_lon, d.start_lat,
       d.end_lon, d.end_lat
FROM unnest(%(vehicle)s, %(settled)s) AS k (vehicle_id, settled)
JOIN driving_spans d ON d.vehicle_id = k.vehicle_id AND d.started_at > k.settled
UNION
SELECT d.vehicle_id, coalesce(d.driver_id, -1), d.rule_profile, d.started_at, d.ended_at, d.is_open,
       d.is_moving, d.continues, d.unseen_s, d.distance_m, d.fixes, d.start_lon, d.start_lat,
       d.end_lon, d.end_lat
FROM unnest(%(pending_vehicle)s, %(pending_started)s) AS p (vehicle_id, started_at)
JOIN driving_spans d ON d.vehicle_id = p.vehicle_id AND d.started_at = p.started_at

-- name: delete
-- Spans that are none.
DELETE FROM driving_spans d
USING unnest(%(vehicle)s, %(started)s) AS k (vehicle_id, started_at)
WHERE d.vehicle_id = k.vehicle_id AND d.started_at = k.started_at

-- name: lock
-- Wait until nobody else judges these drivers; until the end of the transaction.
SELECT pg_advisory_xact_lock(%(class)s::int, driver)
FROM (SELECT unnest(%(driver)s) AS driver ORDER BY 1) AS k

-- name: of_drivers
-- The spans of each driver since an instant; one that is moving ends where its vehicle is.
SELECT d.vehicle_id, coalesce(d.driver_id, -1), d.rule_profile, d.started_at,
       CASE WHEN d.is_moving THEN greatest(d.started_at, l.time) ELSE d.ended_at END,
       d.is_open, d.is_moving, d.continues, d.unseen_s, d.distance_m, d.fixes, d.start_lon,
       d.start_lat, CASE WHEN d.is_moving THEN l.lon ELSE d.end_lon END,
       CASE WHEN d.is_moving THEN l.lat ELSE d.end_lat END
FROM unnest(%(driver)s, %(since)s) AS k (driver_id, since)
JOIN driving_spans d ON d.driver_id = k.driver_id AND d.started_at >= k.since
LEFT JOIN latest l ON l.vehicle_id = d.vehicle_id

-- name: of_vehicles
-- The spans of each vehicle since an instant whose driver nobody knows. Fenced off by OFFSET 0:
-- else the planner takes the index by driver, and for each vehicle reads the spans of all that have
-- none.
SELECT d.vehicle_id, -1, d.rule_profile, d.started_at,
       CASE WHEN d.is_moving THEN greatest(d.started_at, l.time) ELSE d.ended_at END,
       d.is_open, d.is_moving, d.continues, d.unseen_s, d.distance_m, d.fixes, d.start_lon,
       d.start_lat, CASE WHEN d.is_moving THEN l.lon ELSE d.end_lon END,
       CASE WHEN d.is_moving THEN l.lat ELSE d.end_lat END
FROM unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
CROSS JOIN LATERAL (
    SELECT * FROM driving_spans d
    WHERE d.vehicle_id = k.vehicle_id AND d.started_at >= k.since
    ORDER BY d.started_at OFFSET 0
) d
LEFT JOIN latest l ON l.vehicle_id = d.vehicle_id
WHERE d.driver_id IS NULL
