-- name: upsert
-- Trips as far as they are known; one that has not changed is not touched. Returns those that are
-- new or over.
WITH written AS (
    INSERT INTO route_trips AS t (vehicle_id, route_id, departed_at, ended_at, direction, outcome,
        driver_id, rule_profile, distance_m, fixes, unseen_s, start_lon, start_lat, end_lon,
        end_lat)
    SELECT k.vehicle_id, k.route_id, k.departed_at, k.ended_at, k.direction, k.outcome,
           nullif(k.driver_id, -1), k.rule_profile, k.distance_m, k.fixes, k.unseen_s, k.start_lon,
           k.start_lat, k.end_lon, k.end_lat
    FROM unnest(%(vehicle)s, %(route)s, %(departed)s, %(ended)s, %(direction)s::text[],
                %(outcome)s::text[], %(driver)s, %(profile)s::text[], %(distance_m)s, %(fixes)s,
                %(unseen_s)s, %(start_lon)s, %(start_lat)s, %(end_lon)s, %(end_lat)s)
         AS k (vehicle_id, route_id, departed_at, ended_at, direction, outcome, driver_id,
               rule_profile, distance_m, fixes, unseen_s, start_lon, start_lat, end_lon, end_lat)
    ON CONFLICT (vehicle_id, route_id, departed_at) DO UPDATE SET
        ended_at = excluded.ended_at, direction = excluded.direction, outcome = excluded.outcome,
        driver_id = excluded.driver_id, rule_profile = excluded.rule_profile,
        distance_m = excluded.distance_m, fixes = excluded.fixes, unseen_s = excluded.unseen_s,
        start_lon = excluded.start_lon, start_lat = excluded.start_lat,
        end_lon = excluded.end_lon, end_lat = excluded.end_lat
    WHERE (t.ended_at, t.outcome, t.fixes) <> (excluded.ended_at, excluded.outcome, excluded.fixes)
    RETURNING t.route_id, t.departed_at, t.outcome, xmax = 0 AS is_new
)
SELECT r.code, w.departed_at FROM written w JOIN routes r ON r.id = w.route_id
WHERE w.is_new OR w.outcome <> 'under_way'

-- name: delete_after
-- Each vehicle's trips that began after its last settled fix, and those that were pending then.
WITH gone AS (
    SELECT t.vehicle_id, t.route_id, t.departed_at
    FROM unnest(%(vehicle)s, %(settled)s) AS k (vehicle_id, settled)
    JOIN route_trips t ON t.vehicle_id = k.vehicle_id AND t.departed_at > k.settled
    UNION
    SELECT p.vehicle_id, r.id, p.departed_at
    FROM unnest(%(pending_vehicle)s, %(pending_code)s::text[], %(pending_departed)s)
         AS p (vehicle_id, code, departed_at)
    JOIN routes r ON r.code = p.code
), deleted AS (
    DELETE FROM route_trips t USING gone
    WHERE t.vehicle_id = gone.vehicle_id AND t.route_id = gone.route_id
      AND t.departed_at = gone.departed_at
    RETURNING t.route_id, t.departed_at
)
SELECT r.code, d.departed_at FROM deleted d JOIN routes r ON r.id = d.route_id

-- name: lock
-- Let nobody else compare the trips of a route with its timetable until this transaction is over.
SELECT pg_advisory_xact_lock(hashtextextended('timetable:' || %(code)s, 0))

-- name: departures
-- The trips of all versions of a route that left a terminal in a span of time.
SELECT t.vehicle_id, t.route_id, t.direction, t.departed_at, t.outcome, t.driver_id,
       t.rule_profile, t.start_lon, t.start_lat
FROM route_trips t JOIN routes r ON r.id = t.route_id
WHERE r.code = %(code)s AND t.departed_at >= %(first)s AND t.departed_at < %(last)s
ORDER BY t.departed_at, t.vehicle_id, t.route_id
