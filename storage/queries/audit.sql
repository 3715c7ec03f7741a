-- name: append
-- One more row; takes the chain's lock until the end of the transaction.
SELECT audit_append(%(actor)s, %(address)s, %(action)s, %(subject)s, %(detail)s)

-- name: rows
-- Rows after one, in order, with their instants in microseconds.
SELECT seq, (extract(epoch FROM at) * 1000000)::bigint, actor, address, action, subject, detail,
       previous, hash
FROM audit WHERE seq > %(after)s ORDER BY seq LIMIT %(rows)s

-- name: head
-- The end of the chain.
SELECT seq, hash FROM audit_head

-- name: page
-- A page of the audit, newest first.
SELECT a.seq, a.at, a.actor, a.address, a.action, a.subject, a.detail::json, a.seq
FROM audit a
WHERE (%(before)s::bigint IS NULL OR a.seq < %(before)s)
  AND (%(actor)s::text IS NULL OR a.actor = %(actor)s)
  AND (%(action)s::text IS NULL OR a.action = %(action)s)
ORDER BY a.seq DESC LIMIT %(rows)s
