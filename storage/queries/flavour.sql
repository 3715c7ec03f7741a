-- name: fixes_is_partitioned
-- Whether fixes is natively partitioned (plain PostgreSQL); a hypertable is an ordinary table.
SELECT relkind = 'p' FROM pg_class WHERE oid = 'fixes'::regclass

-- name: days
-- Which of these days have a partition.
SELECT d FROM unnest(%(days)s::integer[]) d, fix_partition(d) p
WHERE to_regclass(p.name) IS NOT NULL

-- name: create_days
-- Make the partitions of days, counted from 1970 (migrations/sql/0001_functions.sql).
SELECT create_fix_days(%(days)s::integer[])

-- name: chunks
-- The chunks of the hypertable, the oldest first.
SELECT range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = 'fixes'
ORDER BY range_start

-- name: partitions
-- The native partitions, the oldest first.
SELECT (bound.is_in)[1]::timestamptz, (bound.is_in)[2]::timestamptz
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                $$FROM \('([^']+)'\) TO \('([^']+)'\)$$) AS bound (is_in)
WHERE i.inhparent = 'fixes'::regclass
ORDER BY 1

-- name: refresh
-- Bring the continuous aggregate up to date in a span; what did not change costs nothing.
CALL refresh_continuous_aggregate('fix_hours', %(since)s, %(until)s)

-- name: take_changed
-- Hand on which hours of vehicles changed (migrations/sql/0020_timescale.sql).
SELECT take_changed_hours()

-- name: roll_up
-- Store at most a week of hours more (migrations/sql/0018_plain.sql), and whether some are left.
SELECT roll_up_fix_hours(%(kept)s, %(until)s, interval '7 days') < %(until)s

-- name: roll_up_changed
-- Store again at most so many hours of vehicles that changed, and how many those were.
SELECT roll_up_changed_hours(%(kept)s, %(most)s)

-- name: uncompressed
-- Chunks that end before an instant and hold rows: never compressed, or written to since.
SELECT format('%%I.%%I', c.chunk_schema, c.chunk_name)
FROM timescaledb_information.chunks c
CROSS JOIN LATERAL _timescaledb_functions.chunk_status_text(
    format('%%I.%%I', c.chunk_schema, c.chunk_name)::regclass) AS s (words)
WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'fixes'
  AND c.range_end <= %(before)s
  AND (NOT 'COMPRESSED' = ANY (s.words) OR s.words && ARRAY['UNORDERED', 'PARTIAL'])
ORDER BY c.range_start

-- name: compress
-- Keep one chunk as columns.
SELECT compress_chunk(%(chunk)s::regclass)

-- name: drop_chunks
-- Drop what ends before an instant.
SELECT count(*) FROM drop_chunks('fixes', older_than => %(before)s)

-- name: drop_partitions
-- The same where partitions are native (migrations/sql/0015_plain.sql).
SELECT drop_fix_days(%(before)s)

-- name: drop_hour_chunks
-- Drop roll-ups that end before an instant.
SELECT count(*) FROM drop_chunks('fix_hours', older_than => %(before)s)

-- name: delete_hours
-- The same, row by row.
WITH gone AS (DELETE FROM fix_hours_stored WHERE hour < %(before)s RETURNING 1)
SELECT count(*) FROM gone
