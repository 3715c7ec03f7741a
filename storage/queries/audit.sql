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

-- name: start
-- The last row that was taken out, 0 and zeros if none was.
SELECT seq, hash FROM audit_start

-- name: age
-- Whether a row was written before an instant; no row if it is none.
SELECT at < %(before)s FROM audit WHERE seq = %(seq)s

-- name: remove
-- Take out the rows up to one.
SELECT audit_remove(%(seq)s)
