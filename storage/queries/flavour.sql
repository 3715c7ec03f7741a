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
