-- name: create
-- A new token, of which only the digest is kept.
INSERT INTO api_tokens (name, digest, role, operator_id, expires_at)
VALUES (%(name)s, %(digest)s, %(role)s, %(operator_id)s, %(expires_at)s)
RETURNING id

-- name: revoke
-- End a token.
UPDATE api_tokens SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL

-- name: list
-- Every token there ever was, newest first.
SELECT id, name, role, operator_id, created_at, expires_at, revoked_at
FROM api_tokens ORDER BY id DESC

-- name: authenticate
-- Whose token it is; the function of migrations/sql/0001_security.sql.
SELECT id, name, role, operator_id FROM authenticate_token(%(digest)s)
