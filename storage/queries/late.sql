-- name: copy_late
-- Take in fixes that wait; columns in the order of storage.late.LAYOUT.
COPY late_fixes (shard, vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop,
                 satellites, odometer, driver_id, inputs, quality)
FROM STDIN (FORMAT binary)

-- name: copy_extras
-- Take in what else the formats carried.
COPY late_fix_extras (vehicle_id, time, extra) FROM STDIN (FORMAT binary)

-- name: waiting
-- How many fixes of each vehicle wait in some shards.
SELECT array_agg(k.vehicle_id), array_agg(k.fixes)
FROM (SELECT vehicle_id, count(*) AS fixes FROM late_fixes WHERE shard = ANY (%(shards)s)
      GROUP BY vehicle_id) k

-- name: take
-- Remove and give the oldest waiting fixes of some vehicles, at most so many.
WITH taken AS (
    DELETE FROM late_fixes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM late_fixes
        WHERE shard = ANY (%(shards)s) AND vehicle_id = ANY (%(vehicle)s)
        ORDER BY vehicle_id, time LIMIT %(most)s))
    RETURNING *
)
SELECT array_agg(f.vehicle_id), array_agg(f.time), array_agg(f.received), array_agg(f.lon),
       array_agg(f.lat), array_agg(f.speed_kmh), array_agg(f.heading), array_agg(f.altitude),
       array_agg(f.hdop), array_agg(f.satellites), array_agg(f.odometer), array_agg(f.driver_id),
       array_agg(f.inputs), array_agg(f.quality)
FROM taken f

-- name: take_extras
-- Remove and give what else came with fixes that were taken.
DELETE FROM late_fix_extras x
USING unnest(%(vehicle)s, %(time)s) AS k (vehicle_id, time)
WHERE x.vehicle_id = k.vehicle_id AND x.time = k.time
RETURNING x.vehicle_id, x.time, x.extra::text
