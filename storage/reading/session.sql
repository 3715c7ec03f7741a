-- name: begin_reading
-- Several statements in one trip: one snapshot, nothing written, as the role that owns nothing.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL ROLE hanhtrinh_api;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
-- Filters are optional conditions: a plan made for the values at hand drops those not given.
SET LOCAL plan_cache_mode = 'force_custom_plan';
SET LOCAL jit = off;

-- name: begin_writing
-- The same for changes: each statement sees what others have committed, so a row lock can be waited for.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL ROLE hanhtrinh_api;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
SET LOCAL plan_cache_mode = 'force_custom_plan';
SET LOCAL jit = off;

-- name: take_scope
-- Whose token it is, and from here on this transaction sees what that caller may see.
SELECT a.id, a.name, a.role, a.operator_id, (extract(epoch FROM now()) * 1000000)::bigint,
       set_config('statement_timeout', %(timeout_ms)s, true),
       set_config('hanhtrinh.role', a.role, true),
       set_config('hanhtrinh.operator_id', coalesce(a.operator_id::text, ''), true)
FROM authenticate_token(%(digest)s) a;

-- name: schema_revision
-- The revision that the database was migrated to.
SELECT version_num FROM alembic_version;
