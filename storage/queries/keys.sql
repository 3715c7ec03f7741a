-- name: create
-- A new key, of which only the digest is kept.
INSERT INTO api_keys (name, digest, role, operator_id, province, provider_id, person_id, scopes,
                      expires_at)
VALUES (%(name)s, %(digest)s, %(role)s, %(operator_id)s, %(province)s, %(provider_id)s,
        %(person_id)s, coalesce(%(scopes)s::text[], abilities_of(%(role)s, %(province)s)),
        now() + %(seconds)s * interval '1 second')
RETURNING id

-- name: abilities
-- What a key in force may do, and what its role may; nobody else changes it until this transaction ends.
SELECT k.scopes, abilities_of(k.role, k.province) FROM api_keys k
WHERE k.id = %(id)s AND k.revoked_at IS NULL AND k.expires_at > now() FOR UPDATE

-- name: set_scopes
-- What a key may do from now on.
UPDATE api_keys SET scopes = %(scopes)s WHERE id = %(id)s

-- name: make_next
-- A key like another one.
INSERT INTO api_keys (name, digest, role, operator_id, province, provider_id, person_id, scopes,
                      expires_at)
SELECT k.name, %(digest)s, k.role, k.operator_id, k.province, k.provider_id, k.person_id, k.scopes,
       now() + %(seconds)s * interval '1 second'
FROM api_keys k WHERE k.id = %(id)s
RETURNING id

-- name: end_in
-- A key ends in so many seconds, if it does not end before; at once: it is revoked.
UPDATE api_keys
SET expires_at = least(expires_at, now() + %(seconds)s * interval '1 second'),
    revoked_at = CASE WHEN %(seconds)s <= 0 THEN now() END
WHERE id = %(id)s

-- name: revoke
-- End a key.
UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL

-- name: list
-- Every key that may be seen, newest first.
SELECT k.id, k.name, k.role, o.code, k.province, h.code, person_name(k.person_id),
       k.scopes, k.created_at,
       k.expires_at, k.revoked_at
FROM api_keys k
LEFT JOIN providers h ON h.id = k.provider_id
LEFT JOIN operators o ON o.id = k.operator_id
ORDER BY k.id DESC
