-- name: create
-- A new key, of which only the digest is kept.
INSERT INTO api_keys (name, digest, role, operator_id, province, provider_id, person_id, scopes,
                      expires_at)
VALUES (%(name)s, %(digest)s, %(role)s, %(operator_id)s, %(province)s, %(provider_id)s,
        %(person_id)s, coalesce(%(scopes)s::text[], abilities_of(%(role)s, %(province)s)),
        now() + %(seconds)s * interval '1 second')
RETURNING id

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
