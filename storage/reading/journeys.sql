-- name: fixes
-- A page of a vehicle's fixes in order of time, each number with the decimals that come back from
-- the grid it is kept on (devices.rounding).
SELECT f.time, f.received, shown_degrees(f.lon), shown_degrees(f.lat), f.speed_kmh, f.heading,
       round(f.altitude::float8 * 10) / 10 + 0, round(f.hdop::float8 * 100) / 100,
       nullif(f.satellites, 255), round(f.odometer * 10) / 10, d.licence, f.inputs, f.quality,
       CASE WHEN (SELECT scope_can('personal')) THEN f.extra ELSE without_driver(f.extra) END, (extract(epoch FROM f.time) * 1000000)::bigint
FROM visible_fixes f
LEFT JOIN visible_drivers d ON d.id = f.driver_id
WHERE f.vehicle_id = %(vehicle)s
  AND f.time >= %(from)s AND f.time < %(to)s
  AND (%(after_us)s::bigint IS NULL OR
       f.time > timestamptz 'epoch' + %(after_us)s::bigint * interval '1 microsecond')
ORDER BY f.time
LIMIT %(rows)s;

-- name: count_fixes
-- How many fixes a vehicle has in a window, counted no further than asked.
SELECT count(*) FROM (
    SELECT FROM visible_fixes f
    WHERE f.vehicle_id = %(vehicle)s AND f.time >= %(from)s AND f.time < %(to)s
    LIMIT %(rows)s
) counted;

-- name: track
-- The columns that stops and trips are found in, as arrays in order of time.
SELECT array_agg(f.time), array_agg(f.lon), array_agg(f.lat), array_agg(f.speed_kmh),
       array_agg(f.quality)
FROM (
    SELECT time, lon, lat, speed_kmh, quality
    FROM visible_fixes
    WHERE vehicle_id = %(vehicle)s AND time >= %(from)s AND time < %(to)s
    ORDER BY time
) f;

-- name: evidence
-- The fixes of an interval, clean or not, and the nearest clean one on either side within 31 days:
-- from the fixes, and from those that were kept when the others of their time were deleted.
WITH found AS (
    (SELECT f.*, 'before' AS role FROM visible_fixes f
     WHERE f.vehicle_id = %(vehicle)s AND f.quality & %(disqualifying)s = 0
       AND f.time < timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
       AND f.time >= timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
                     - interval '31 days'
     ORDER BY f.time DESC LIMIT 1)
    UNION ALL
    (SELECT f.*, 'inside' FROM visible_fixes f
     WHERE f.vehicle_id = %(vehicle)s
       AND f.time >= timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
       AND f.time <= timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
     ORDER BY f.time LIMIT %(rows)s)
    UNION ALL
    (SELECT f.*, 'after' FROM visible_fixes f
     WHERE f.vehicle_id = %(vehicle)s AND f.quality & %(disqualifying)s = 0
       AND f.time > timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
       AND f.time <= timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
                     + interval '31 days'
     ORDER BY f.time LIMIT 1)
    UNION ALL
    (SELECT f.*, 'before' AS role FROM evidence_fixes f
     WHERE f.vehicle_id = %(vehicle)s AND f.quality & %(disqualifying)s = 0
       AND f.time < timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
       AND f.time >= timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
                     - interval '31 days'
     ORDER BY f.time DESC LIMIT 1)
    UNION ALL
    (SELECT f.*, 'inside' FROM evidence_fixes f
     WHERE f.vehicle_id = %(vehicle)s
       AND f.time >= timestamptz 'epoch' + %(started_us)s::bigint * interval '1 microsecond'
       AND f.time <= timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
     ORDER BY f.time LIMIT %(rows)s)
    UNION ALL
    (SELECT f.*, 'after' FROM evidence_fixes f
     WHERE f.vehicle_id = %(vehicle)s AND f.quality & %(disqualifying)s = 0
       AND f.time > timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
       AND f.time <= timestamptz 'epoch' + %(ended_us)s::bigint * interval '1 microsecond'
                     + interval '31 days'
     ORDER BY f.time LIMIT 1)
), nearest AS (
    -- A fix of either table may be the same; of two neighbours the nearer one is meant.
    SELECT DISTINCT ON (f.role, CASE WHEN f.role = 'inside' THEN f.time END) f.*
    FROM found f
    ORDER BY f.role, CASE WHEN f.role = 'inside' THEN f.time END,
             CASE WHEN f.role = 'before' THEN f.time END DESC, f.time
)
SELECT f.time, f.received, shown_degrees(f.lon), shown_degrees(f.lat), f.speed_kmh, f.heading,
       round(f.altitude::float8 * 10) / 10 + 0, round(f.hdop::float8 * 100) / 100,
       nullif(f.satellites, 255), round(f.odometer * 10) / 10, d.licence, f.inputs, f.quality,
       CASE WHEN (SELECT scope_can('personal')) THEN f.extra ELSE without_driver(f.extra) END, f.role
FROM nearest f
LEFT JOIN visible_drivers d ON d.id = f.driver_id
ORDER BY f.time;
