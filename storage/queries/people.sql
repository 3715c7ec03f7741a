-- name: create
-- Somebody new.
INSERT INTO people (username, name, role, operator_id, province, provider_id, password, must_change)
VALUES (%(username)s, %(name)s, %(role)s, %(operator_id)s, %(province)s, %(provider_id)s,
        %(password)s, %(must_change)s)

-- name: list
-- Everybody, by username.
SELECT p.username, p.name, p.role, o.code, p.province, h.code, p.created_at, p.disabled_at,
       p.password_set_at, p.must_change, p.factor_since IS NOT NULL, p.subject IS NOT NULL
FROM people p
LEFT JOIN operators o ON o.id = p.operator_id
LEFT JOIN providers h ON h.id = p.provider_id
WHERE %(username)s::text IS NULL OR p.username = %(username)s
ORDER BY p.username

-- name: set_disabled
-- Let somebody in no longer, or again. Returns nothing for nobody of that name.
UPDATE people SET disabled_at = CASE WHEN %(disabled)s THEN coalesce(disabled_at, now()) END
WHERE username = %(username)s RETURNING id

-- name: end_sessions
-- End every session of somebody, but one that goes on (0: none does).
UPDATE sessions SET ended_at = now()
WHERE person_id = %(person_id)s AND ended_at IS NULL AND id <> %(but)s

-- name: end_keys
-- End every key of somebody.
UPDATE api_keys SET revoked_at = now() WHERE person_id = %(person_id)s AND revoked_at IS NULL

-- name: person_id
-- Number of somebody.
SELECT id FROM people WHERE username = %(username)s

-- name: past_passwords
-- What is kept of somebody's passwords, the present one first, then the newest.
(SELECT p.password FROM people p WHERE p.id = %(person_id)s AND p.password IS NOT NULL)
UNION ALL
(SELECT q.password FROM past_passwords q WHERE q.person_id = %(person_id)s
 ORDER BY q.replaced_at DESC LIMIT %(kept)s - 1)

-- name: keep_password
-- The present password becomes a past one.
INSERT INTO past_passwords (person_id, password)
SELECT p.id, p.password FROM people p WHERE p.id = %(person_id)s AND p.password IS NOT NULL

-- name: forget_passwords
-- Past passwords beyond those that are kept.
DELETE FROM past_passwords WHERE person_id = %(person_id)s AND replaced_at NOT IN
    (SELECT q.replaced_at FROM past_passwords q WHERE q.person_id = %(person_id)s
     ORDER BY q.replaced_at DESC LIMIT %(kept)s)

-- name: set_password
-- Another password.
UPDATE people SET password = %(password)s, password_set_at = now(), must_change = %(must_change)s
WHERE id = %(person_id)s

-- name: end_factor
-- No second factor any longer, where one was asked for.
UPDATE people SET factor = NULL, factor_since = NULL, factor_step = 0
WHERE id = %(person_id)s AND factor_since IS NOT NULL

-- name: add_provider
-- A provider of devices, or another name for one.
INSERT INTO providers (code, name) VALUES (%(code)s, %(name)s)
ON CONFLICT (code) DO UPDATE SET name = excluded.name RETURNING id

-- name: provider_id
-- Number of a provider.
SELECT id FROM providers WHERE code = %(code)s

-- name: provide
-- Whose devices these are; the devices that there are.
UPDATE devices SET provider_id = %(provider_id)s WHERE ident = ANY (%(ident)s) RETURNING ident
