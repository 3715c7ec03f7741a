-- name: try_lock
-- Whether this session may work; it holds the lock until it says so or ends.
SELECT pg_try_advisory_lock(%(key)s)

-- name: unlock
-- Let others.
SELECT pg_advisory_unlock(%(key)s)

-- name: unsummarized
-- The indexes over time of partitions or chunks of fixes that were written to since their last vacuum.
SELECT i.indexrelid::regclass::text
FROM pg_inherits h
JOIN pg_index i ON i.indrelid = h.inhrelid
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am a ON a.oid = c.relam
WHERE h.inhparent = 'fixes'::regclass AND a.amname = 'brin'
  AND pg_stat_get_ins_since_vacuum(h.inhrelid) > 0
ORDER BY 1

-- name: hardly_wait
-- In this transaction: who waits for a second for what a vacuum holds has it cancelled.
SET LOCAL lock_timeout = '200ms'

-- name: summarize
-- Have such an index know the times in pages that were added.
SELECT brin_summarize_new_values(%(index)s::regclass)

-- name: delete_extras
-- What the formats carried with fixes that are gone.
DELETE FROM fix_extras WHERE ctid IN
    (SELECT ctid FROM fix_extras WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_repeats
-- Second fixes of instants whose first is gone.
DELETE FROM fix_repeats WHERE ctid IN
    (SELECT ctid FROM fix_repeats WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_marks
-- Points to judge again from, where there are no fixes to judge.
DELETE FROM judge_marks WHERE ctid IN
    (SELECT ctid FROM judge_marks WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_violations
-- Violations that ended before an instant, with their versions, reviews and files. One under appeal
-- stays until it is decided. How many, the first and the last.
WITH old AS (
    SELECT id FROM violations
    WHERE started_at < %(before)s AND ended_at < %(before)s AND review <> 'appealed'
    LIMIT %(rows)s
), versions AS (
    DELETE FROM violation_versions WHERE violation_id IN (SELECT id FROM old)
), reviews AS (
    DELETE FROM violation_reviews WHERE violation_id IN (SELECT id FROM old)
), attachments AS (
    DELETE FROM violation_attachments WHERE violation_id IN (SELECT id FROM old)
), gone AS (
    DELETE FROM violations WHERE id IN (SELECT id FROM old) RETURNING started_at
)
SELECT count(*), min(started_at), max(started_at) FROM gone

-- name: walk_indexes
-- In this transaction: a neighbour is the first row of an index, and not the first of thirty days'
-- fixes when they are sorted, as the planner would have it, which takes them for few.
SET LOCAL enable_bitmapscan = off

-- name: keep_evidence
-- Copy the fixes of a span of time that violations rest on: those of their intervals, and the nearest
-- clean one on either side within 31 days. How many are new. Earlier fixes are gone.
WITH standing AS (
    SELECT v.vehicle_id, v.started_at, v.ended_at FROM violations v
    WHERE v.started_at < %(until)s AND v.ended_at >= %(since)s
      AND v.status <> 'withdrawn' AND right(v.kind, 8) <> '_warning'
), inside AS (
    SELECT f.* FROM standing v CROSS JOIN LATERAL (
        SELECT * FROM whole_fixes f
        WHERE f.vehicle_id = v.vehicle_id AND f.time >= v.started_at AND f.time <= v.ended_at
          AND f.time >= %(since)s AND f.time < %(until)s
        ORDER BY f.time
    ) f
), after AS (
    SELECT f.* FROM standing v CROSS JOIN LATERAL (
        SELECT * FROM whole_fixes f
        WHERE f.vehicle_id = v.vehicle_id AND f.quality & %(disqualifying)s = 0
          AND f.time > v.ended_at AND f.time <= v.ended_at + interval '31 days'
          AND f.time >= %(since)s AND f.time < %(until)s::timestamptz + interval '31 days'
        ORDER BY f.time LIMIT 1
    ) f
    WHERE v.ended_at < %(until)s
), begun AS (
    SELECT v.vehicle_id, v.started_at FROM standing v WHERE v.started_at >= %(since)s
    UNION ALL
    -- The clean fix before the next violation may lie here as well; before later ones lies that.
    SELECT l.vehicle_id, v.started_at FROM latest l CROSS JOIN LATERAL (
        SELECT v.started_at FROM violations v
        WHERE v.vehicle_id = l.vehicle_id AND v.started_at >= %(until)s
          AND v.started_at <= %(until)s::timestamptz + interval '31 days'
          AND v.status <> 'withdrawn' AND right(v.kind, 8) <> '_warning'
        ORDER BY v.started_at LIMIT 1
    ) v
), before AS (
    SELECT f.* FROM begun v CROSS JOIN LATERAL (
        SELECT * FROM whole_fixes f
        WHERE f.vehicle_id = v.vehicle_id AND f.quality & %(disqualifying)s = 0
          AND f.time < v.started_at AND f.time >= v.started_at - interval '31 days'
          AND f.time >= %(since)s AND f.time < %(until)s::timestamptz + interval '31 days'
        ORDER BY f.time DESC LIMIT 1
    ) f
    WHERE f.time < %(until)s
), kept AS (
    INSERT INTO evidence_fixes
    SELECT k.*, (SELECT x.extra FROM fix_extras x
                 WHERE x.vehicle_id = k.vehicle_id AND x.time = k.time)
    FROM (
        SELECT DISTINCT ON (f.vehicle_id, f.time) f.*
        FROM (SELECT * FROM inside UNION ALL SELECT * FROM before UNION ALL SELECT * FROM after) f
    ) k
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM kept

-- name: count_fixes
-- How many fixes a span of time holds, and the first and the last.
SELECT count(*), min(time), max(time) FROM fixes WHERE time >= %(since)s AND time < %(until)s

-- name: move_horizon
-- Write down that fixes before an instant are gone.
UPDATE fix_horizon SET fixes_from = greatest(fixes_from, %(before)s)

-- name: move_hours_from
-- Write down that hours before an instant are gone: their days are not summed again.
UPDATE fix_days_until SET hours_from = greatest(hours_from, %(before)s)

-- name: delete_late
-- Fixes that waited to be judged, of shards that nobody works on any more.
DELETE FROM late_fixes WHERE ctid IN
    (SELECT ctid FROM late_fixes WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_late_extras
-- What their formats carried.
DELETE FROM late_fix_extras WHERE ctid IN
    (SELECT ctid FROM late_fix_extras WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_evidence
-- Evidence of violations that are gone; how many fixes, the first and the last.
WITH gone AS (
    DELETE FROM evidence_fixes WHERE ctid IN (
        SELECT e.ctid FROM evidence_fixes e
        WHERE e.time < %(before)s AND NOT EXISTS (
            SELECT FROM violations v
            WHERE v.vehicle_id = e.vehicle_id AND v.started_at <= e.time + interval '31 days'
              AND v.ended_at >= e.time - interval '31 days')
        LIMIT %(rows)s)
    RETURNING time
)
SELECT count(*), min(time), max(time) FROM gone

-- name: delete_weighings
-- Weighings that no violation rests on; how many, the first and the last.
WITH gone AS (
    DELETE FROM weighings WHERE ctid IN (
        SELECT w.ctid FROM weighings w
        WHERE w.time < %(before)s AND NOT EXISTS (
            SELECT FROM violations v
            WHERE v.vehicle_id = w.vehicle_id AND v.started_at = w.time
              AND starts_with(v.kind, 'overload_'))
        LIMIT %(rows)s)
    RETURNING time
)
SELECT count(*), min(time), max(time) FROM gone

-- name: delete_visits
-- Visits that are over; how many, the first and the last.
WITH gone AS (
    DELETE FROM zone_visits WHERE ctid IN (
        SELECT ctid FROM zone_visits
        WHERE entered_at < %(before)s AND left_at < %(before)s AND NOT is_open
        LIMIT %(rows)s)
    RETURNING entered_at
)
SELECT count(*), min(entered_at), max(entered_at) FROM gone

-- name: delete_trips
-- Trips on routes that are over; how many, the first and the last.
WITH gone AS (
    DELETE FROM route_trips WHERE ctid IN (
        SELECT ctid FROM route_trips
        WHERE departed_at < %(before)s AND ended_at < %(before)s AND outcome <> 'under_way'
        LIMIT %(rows)s)
    RETURNING departed_at
)
SELECT count(*), min(departed_at), max(departed_at) FROM gone

-- name: delete_spans
-- Spans of driving that are over; how many, the first and the last.
WITH gone AS (
    DELETE FROM driving_spans WHERE ctid IN (
        SELECT ctid FROM driving_spans
        WHERE started_at < %(before)s AND ended_at < %(before)s AND NOT is_open
        LIMIT %(rows)s)
    RETURNING started_at
)
SELECT count(*), min(started_at), max(started_at) FROM gone

-- name: delete_repeat_counts
-- How many fixes were repeated on days (UTC) that were over by then; how many rows, the first and last.
WITH gone AS (
    DELETE FROM repeat_counts WHERE ctid IN (
        SELECT ctid FROM repeat_counts
        WHERE day < (%(before)s::timestamptz AT TIME ZONE 'UTC')::date
        LIMIT %(rows)s)
    RETURNING day::timestamp AT TIME ZONE 'UTC' AS day
)
SELECT count(*), min(day), max(day) FROM gone

-- name: delete_sessions
-- Sessions that were over by then: left, at their end, or unused for too long; how many, and when the
-- first and the last of them were over.
WITH gone AS (
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions
        WHERE least(ended_at, expires_at, seen_at + idle_s * interval '1 second') < %(before)s
        LIMIT %(rows)s)
    RETURNING least(ended_at, expires_at, seen_at + idle_s * interval '1 second') AS over_at
)
SELECT count(*), min(over_at), max(over_at) FROM gone

-- name: delete_days
-- Local days that are over, by their date; how many, the first and the last.
WITH gone AS (
    DELETE FROM fix_days WHERE ctid IN (
        SELECT ctid FROM fix_days WHERE day < (%(before)s AT TIME ZONE 'UTC')::date LIMIT %(rows)s)
    RETURNING day
)
SELECT count(*), min(day)::timestamp AT TIME ZONE 'UTC', max(day)::timestamp AT TIME ZONE 'UTC'
FROM gone

-- name: unregistered
-- Drivers whom feeds have named and nobody has registered.
SELECT count(*) FROM drivers WHERE operator_id IS NULL AND name IS NULL AND erased_at IS NULL

-- name: waiting
-- Hours of vehicles that changed and whose roll-up is to come.
SELECT (SELECT count(*) FROM fix_hours_changed) + (SELECT count(*) FROM fix_days_changed)
