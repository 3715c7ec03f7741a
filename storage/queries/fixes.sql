-- name: copy_fixes
-- Take in new fixes; columns in the order of storage.fixes.STORED.
COPY fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop, satellites,
            odometer, driver_id, inputs, quality, delay_ms)
FROM STDIN (FORMAT binary)

-- name: copy_extras
-- Take in what else the formats carried.
COPY fix_extras (vehicle_id, time, extra) FROM STDIN (FORMAT binary)

-- name: horizon
-- Fixes before this instant have been deleted.
SELECT fixes_from FROM fix_horizon

-- name: stored
-- Numbers (from 1) of the keys that are stored. The bounds let the planner leave out other days.
SELECT array_agg(k.number)
FROM unnest(%(vehicle)s, %(time)s) WITH ORDINALITY AS k (vehicle_id, time, number)
JOIN fixes f ON f.vehicle_id = k.vehicle_id AND f.time = k.time
WHERE f.time BETWEEN %(earliest)s AND %(latest)s

-- name: future
-- The fixes of each vehicle that came at its instant or later from a clock that was ahead (bit 4 of
-- quality: `future`). Their times are later than their arrival, so `earliest` leaves days out.
SELECT array_agg(f.vehicle_id), array_agg(f.time), array_agg(f.received), array_agg(f.lon),
       array_agg(f.lat), array_agg(f.speed_kmh), array_agg(f.heading), array_agg(f.altitude),
       array_agg(f.hdop), array_agg(f.satellites), array_agg(f.odometer), array_agg(f.driver_id),
       array_agg(f.inputs), array_agg(f.quality)
FROM unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
CROSS JOIN LATERAL (
    SELECT * FROM whole_fixes f
    WHERE f.vehicle_id = k.vehicle_id AND f.time >= k.since AND f.time >= %(earliest)s
      AND f.received >= k.since AND f.quality & 4 <> 0
    ORDER BY f.time
) f

-- name: stretch
-- All fixes of each vehicle from its instant on. The ordered subquery keeps the planner at one index
-- scan for each vehicle: it cannot guess how few rows the second condition leaves.
SELECT array_agg(f.vehicle_id), array_agg(f.time), array_agg(f.received), array_agg(f.lon),
       array_agg(f.lat), array_agg(f.speed_kmh), array_agg(f.heading), array_agg(f.altitude),
       array_agg(f.hdop), array_agg(f.satellites), array_agg(f.odometer), array_agg(f.driver_id),
       array_agg(f.inputs), array_agg(f.quality)
FROM unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
CROSS JOIN LATERAL (
    SELECT * FROM whole_fixes f
    WHERE f.vehicle_id = k.vehicle_id AND f.time >= k.since AND f.time >= %(earliest)s
    ORDER BY f.time
) f

-- name: update_quality
-- Put down what judging again found about stored fixes.
UPDATE fixes f SET quality = k.quality
FROM unnest(%(vehicle)s, %(time)s, %(quality)s) AS k (vehicle_id, time, quality)
WHERE f.vehicle_id = k.vehicle_id AND f.time = k.time AND f.quality <> k.quality
  AND f.time BETWEEN %(earliest)s AND %(latest)s

-- name: insert_repeats
-- Keep the repeats that differ from the stored fix of that vehicle and time.
INSERT INTO fix_repeats (vehicle_id, time, received, lon, lat, speed_kmh, heading)
SELECT k.* FROM unnest(%(vehicle)s, %(time)s, %(received)s, %(lon)s, %(lat)s, %(speed_kmh)s, %(heading)s)
    AS k (vehicle_id, time, received, lon, lat, speed_kmh, heading)
LEFT JOIN fixes f ON f.vehicle_id = k.vehicle_id AND f.time = k.time
    AND f.time BETWEEN %(earliest)s AND %(latest)s
WHERE (f.lon, f.lat, f.speed_kmh, f.heading) IS DISTINCT FROM (k.lon, k.lat, k.speed_kmh, k.heading)
ON CONFLICT DO NOTHING

-- name: count_repeats
-- Count every repeat by vehicle and day (UTC).
INSERT INTO repeat_counts AS c (vehicle_id, day, repeats)
SELECT k.vehicle_id, (k.time AT TIME ZONE 'UTC')::date, count(*)
FROM unnest(%(vehicle)s, %(time)s) AS k (vehicle_id, time)
GROUP BY 1, 2
ON CONFLICT (vehicle_id, day) DO UPDATE SET repeats = c.repeats + excluded.repeats
