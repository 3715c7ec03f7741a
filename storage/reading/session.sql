-- name: begin_reading
-- Several statements in one trip: one snapshot, nothing written, as the role that reads nothing yet.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL ROLE hanhtrinh_gate;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
-- Filters are optional conditions: a plan made for the values at hand drops those not given.
SET LOCAL plan_cache_mode = 'force_custom_plan';
SET LOCAL jit = off;

-- name: begin_writing
-- The same for changes: each statement sees what others have committed, so a row lock can be waited for.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL ROLE hanhtrinh_gate;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
SET LOCAL plan_cache_mode = 'force_custom_plan';
SET LOCAL jit = off;
-- The chain of the audit is waited for, but not for ever.
SET LOCAL lock_timeout = '10s';

-- name: take_scope
-- Whose key or session it is; from here on this transaction has that role and sees what it may see.
SELECT h.kind, h.id, h.name, h.role, h.operator_id, h.province, h.provider_id, h.person_id,
       h.abilities, h.is_limited,
       (extract(epoch FROM now()) * 1000000)::bigint,
       set_config('statement_timeout', %(timeout_ms)s, true),
       set_config('hanhtrinh.caller', encode(%(digest)s, 'hex'), true),
       set_config('role', 'hanhtrinh_' || h.role, true)
FROM holder_of(%(digest)s) h;

-- name: leave_scope
-- Back to the role that reads nothing, for what is written about the caller.
SET LOCAL ROLE hanhtrinh_gate;

-- name: schema_revision
-- The revision that the database was migrated to.
SELECT version_num FROM alembic_version;
