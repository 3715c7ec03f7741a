-- name: is_there
-- Whether there is a user of that name.
SELECT FROM pg_roles WHERE rolname = %(user)s

-- name: owns
-- Whether a user (else: who is connected) is a superuser, or owns tables of ours or can become who does.
SELECT coalesce(bool_or(r.rolsuper OR r.rolbypassrls OR EXISTS (
           SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
           AND pg_has_role(r.oid, c.relowner, 'MEMBER'))), false)
FROM pg_roles r WHERE r.rolname = coalesce(%(user)s, session_user)
