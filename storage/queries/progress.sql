-- name: resume_points
-- How far each vehicle is; vehicles without a row are left out.
SELECT array_agg(k.number), array_agg(l.stored_until), array_agg(l.judged_until),
       array_agg(l.needs_from)
FROM unnest(%(vehicle)s) WITH ORDINALITY AS k (vehicle_id, number)
JOIN latest l ON l.vehicle_id = k.vehicle_id

-- name: take
-- Hold vehicles (ascending) until the transaction ends; those that were another judge's, or nobody's.
-- A conflicting row is locked even where it is left as it is.
WITH taken AS (
    INSERT INTO judging AS j (vehicle_id, judge)
    SELECT vehicle_id, %(judge)s FROM unnest(%(vehicle)s) AS k (vehicle_id)
    ON CONFLICT (vehicle_id) DO UPDATE SET judge = excluded.judge WHERE j.judge <> excluded.judge
    RETURNING vehicle_id)
SELECT array_agg(vehicle_id ORDER BY vehicle_id) FROM taken

-- name: judged_since
-- Vehicles of which a fix at an instant or later has been judged.
SELECT array_agg(vehicle_id ORDER BY vehicle_id) FROM latest WHERE judged_until >= %(since)s

-- name: marks_before
-- The newest mark of each vehicle before its instant.
SELECT array_agg(k.number), array_agg(m.time), array_agg(m.needs_from)
FROM unnest(%(vehicle)s, %(before)s) WITH ORDINALITY AS k (vehicle_id, before, number)
CROSS JOIN LATERAL (
    SELECT m.time, m.needs_from FROM judge_marks m
    WHERE m.vehicle_id = k.vehicle_id AND m.time < k.before
    ORDER BY m.time DESC LIMIT 1
) m

-- name: delete_marks
-- Drop each vehicle's marks after its instant: they describe states that are no longer so.
DELETE FROM judge_marks m
USING unnest(%(vehicle)s, %(after)s) AS k (vehicle_id, after)
WHERE m.vehicle_id = k.vehicle_id AND m.time > k.after

-- name: insert_marks
-- Put down points from which judging can be resumed.
INSERT INTO judge_marks (vehicle_id, time, needs_from)
SELECT * FROM unnest(%(vehicle)s, %(time)s, %(needs_from)s)
ON CONFLICT (vehicle_id, time) DO UPDATE SET needs_from = excluded.needs_from

-- name: thin_marks
-- Of marks between two instants keep each vehicle's first of every day.
DELETE FROM judge_marks m
WHERE m.time >= %(since)s AND m.time < %(before)s AND EXISTS (
    SELECT FROM judge_marks n
    WHERE n.vehicle_id = m.vehicle_id AND n.time < m.time
      AND n.time >= date_trunc('day', m.time, 'UTC')
      -- Follows from the line before, and spares a look at every mark that there is.
      AND n.time >= date_trunc('day', %(since)s::timestamptz, 'UTC'))

-- name: upsert_latest
-- The newest fix of each vehicle and how far it is. A clean fix gives way only to a clean one at
-- least as new (29: the disqualifying bits).
INSERT INTO latest AS l (vehicle_id, time, lon, lat, speed_kmh, heading, driver_id, inputs, quality,
                         received, stored_until, judged_until, needs_from)
SELECT * FROM unnest(%(vehicle)s, %(time)s, %(lon)s, %(lat)s, %(speed_kmh)s, %(heading)s, %(driver)s,
                     %(inputs)s, %(quality)s, %(received)s, %(stored_until)s, %(judged_until)s,
                     %(needs_from)s)
ON CONFLICT (vehicle_id) DO UPDATE SET
    time = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.time ELSE l.time END,
    lon = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.lon ELSE l.lon END,
    lat = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.lat ELSE l.lat END,
    speed_kmh = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.speed_kmh ELSE l.speed_kmh END,
    heading = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.heading ELSE l.heading END,
    driver_id = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.driver_id ELSE l.driver_id END,
    inputs = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.inputs ELSE l.inputs END,
    quality = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.quality ELSE l.quality END,
    received = CASE WHEN ((excluded.quality & 29) = 0, excluded.time) >= ((l.quality & 29) = 0, l.time)
        THEN excluded.received ELSE l.received END,
    stored_until = greatest(l.stored_until, excluded.stored_until),
    judged_until = excluded.judged_until, needs_from = excluded.needs_from

-- name: replace_latest
-- The same for vehicles that were judged again: the given fix replaces the stored one.
INSERT INTO latest AS l (vehicle_id, time, lon, lat, speed_kmh, heading, driver_id, inputs, quality,
                         received, stored_until, judged_until, needs_from)
SELECT * FROM unnest(%(vehicle)s, %(time)s, %(lon)s, %(lat)s, %(speed_kmh)s, %(heading)s, %(driver)s,
                     %(inputs)s, %(quality)s, %(received)s, %(stored_until)s, %(judged_until)s,
                     %(needs_from)s)
ON CONFLICT (vehicle_id) DO UPDATE SET
    time = excluded.time,
    lon = excluded.lon,
    lat = excluded.lat,
    speed_kmh = excluded.speed_kmh,
    heading = excluded.heading,
    driver_id = excluded.driver_id,
    inputs = excluded.inputs,
    quality = excluded.quality,
    received = excluded.received,
    stored_until = greatest(l.stored_until, excluded.stored_until),
    judged_until = excluded.judged_until, needs_from = excluded.needs_from

-- name: lock_free
-- Take those of some advisory locks that are free.
SELECT n FROM unnest(%(numbers)s::integer[]) AS n
WHERE pg_try_advisory_lock(%(key)s::integer, n)

-- name: end_session
-- End the session that holds an advisory lock, if it is the one that is meant; once it has ended.
SELECT pg_terminate_backend(pid, 5000)
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND classid = %(key)s::bigint::oid AND objid = %(number)s::bigint::oid AND pid = %(pid)s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
