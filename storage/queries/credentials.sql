-- name: is_registered
-- Whether the registry knows a device or a weigh station by that name that is not retired.
SELECT CASE WHEN %(kind)s = 'device'
            THEN EXISTS (SELECT FROM devices WHERE ident = %(ident)s AND retired_at IS NULL)
            WHEN %(kind)s = 'station'
            THEN EXISTS (SELECT FROM weigh_stations WHERE code = %(ident)s AND retired_at IS NULL)
            ELSE true END

-- name: lock_login
-- A login, which nobody else changes until the transaction ends.
SELECT id, kind, client_id FROM device_logins WHERE ident = %(ident)s FOR UPDATE

-- name: add_login
-- A new login; a client id that is another's name is refused by the WHERE, as no row.
INSERT INTO device_logins (ident, kind, client_id)
SELECT %(ident)s, %(kind)s, %(client_id)s
WHERE NOT EXISTS (SELECT FROM device_logins
                  WHERE client_id = %(client_id)s OR ident = %(client_id)s)
RETURNING id, kind, client_id

-- name: set_client_id
-- Another client id for a login, unless it is another's name; no row then.
UPDATE device_logins l SET client_id = %(client_id)s
WHERE l.id = %(login_id)s
  AND NOT EXISTS (SELECT FROM device_logins o WHERE o.id <> l.id
                  AND (o.client_id = %(client_id)s OR o.ident = %(client_id)s))
RETURNING id, kind, client_id

-- name: end_secrets
-- The newest secret in force goes on until an instant, those before it end now.
UPDATE device_secrets s
SET valid_until = CASE WHEN s.id = n.newest THEN least(s.valid_until, %(until)s)
                       ELSE s.valid_until END,
    revoked_at = CASE WHEN s.id = n.newest AND %(until)s > clock_timestamp() THEN NULL
                      ELSE clock_timestamp() END
FROM (SELECT max(id) AS newest FROM device_secrets
      WHERE login_id = %(login_id)s AND revoked_at IS NULL AND valid_until > now()) n
WHERE s.login_id = %(login_id)s AND s.revoked_at IS NULL AND s.valid_until > now()

-- name: add_secret
-- A new secret of a login.
INSERT INTO device_secrets (login_id, iterations, salt, digest)
VALUES (%(login_id)s, %(iterations)s, %(salt)s, %(digest)s)
RETURNING id

-- name: revoke
-- End the secrets in force of a login, or only one of them.
UPDATE device_secrets s SET revoked_at = clock_timestamp()
FROM device_logins l
WHERE l.id = s.login_id AND l.ident = %(ident)s AND s.revoked_at IS NULL AND s.valid_until > now()
  AND (%(secret_id)s::integer IS NULL OR s.id = %(secret_id)s)

-- name: list
-- Every login with its secrets in force, or those of one login with all it ever had.
SELECT l.ident, l.kind, l.client_id, s.id, s.iterations, s.created_at, s.valid_until, s.revoked_at
FROM device_logins l
LEFT JOIN device_secrets s ON s.login_id = l.id
    AND (%(ident)s::text IS NOT NULL OR (s.revoked_at IS NULL AND s.valid_until > now()))
WHERE %(ident)s::text IS NULL OR l.ident = %(ident)s
ORDER BY l.ident, s.id

-- name: to_check
-- What some usernames may be checked against: the secrets in force.
SELECT l.ident, l.kind, l.client_id, s.id, s.iterations, s.salt, s.digest, s.valid_until
FROM device_logins l
JOIN device_secrets s ON s.login_id = l.id
WHERE l.ident = ANY(%(ident)s) AND s.revoked_at IS NULL AND s.valid_until > now()
ORDER BY s.id DESC

-- name: to_export
-- The newest secret in force of every login.
SELECT DISTINCT ON (l.ident) l.ident, l.kind, l.client_id, s.id, s.iterations, s.salt, s.digest,
       s.valid_until
FROM device_logins l
JOIN device_secrets s ON s.login_id = l.id
WHERE s.revoked_at IS NULL AND s.valid_until > now()
ORDER BY l.ident, s.id DESC

-- name: revoked_since
-- Whose secrets were revoked after an instant.
SELECT DISTINCT l.ident FROM device_secrets s JOIN device_logins l ON l.id = s.login_id
WHERE s.revoked_at > now() - %(seconds)s * interval '1 second'

-- name: listen
-- Hear of revocations.
LISTEN hanhtrinh_revoked
