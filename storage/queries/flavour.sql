-- name: fixes_is_partitioned
-- Whether fixes is natively partitioned (plain PostgreSQL); a hypertable is an ordinary table.
SELECT relkind = 'p' FROM pg_class WHERE oid = 'fixes'::regclass

-- name: days
-- Which days between two have a partition. Their names say the day; nobody else makes such tables.
SELECT to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' AS day
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'fixes'::regclass
  AND to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' BETWEEN %(first)s AND %(last)s

-- name: create_days
-- Make daily partitions, days counted from 1970 (migrations/sql/0001_functions.sql).
SELECT create_fix_days(%(days)s::integer[])
