-- name: insert
-- Take in messages; one that waits there already is counted.
INSERT INTO quarantine AS q (received, topic, payload, payload_bytes, reason, at, detail, ident,
                             digest, seen, last_seen)
SELECT k.received, k.topic, k.payload, k.payload_bytes, k.reason, k.at, k.detail, k.ident, k.digest,
       k.seen, k.last_seen
FROM unnest(%(received)s, %(topic)s::text[], %(payload)s::bytea[], %(payload_bytes)s,
            %(reason)s::text[], %(at)s, %(detail)s::text[], %(ident)s::text[], %(digest)s::bytea[],
            %(seen)s, %(last_seen)s)
     AS k (received, topic, payload, payload_bytes, reason, at, detail, ident, digest, seen, last_seen)
ON CONFLICT (digest) WHERE released_at IS NULL DO UPDATE SET
    seen = q.seen + excluded.seen, last_seen = greatest(q.last_seen, excluded.last_seen),
    reason = excluded.reason, at = excluded.at, detail = excluded.detail, ident = excluded.ident

-- name: page
-- What waits, oldest first, after an id; reason NULL: any.
SELECT id, received, topic, payload_bytes, reason, at, detail, ident, seen, last_seen
FROM quarantine
WHERE released_at IS NULL AND id > %(after)s
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY id LIMIT %(limit)s

-- name: counts
-- How many wait, by reason.
SELECT reason, count(*), sum(seen), min(received), max(last_seen)
FROM quarantine WHERE released_at IS NULL GROUP BY reason ORDER BY count(*) DESC, reason

-- name: payloads
-- The messages themselves, whole ones only, oldest first.
SELECT id, topic, payload FROM quarantine
WHERE id = ANY(%(id)s) AND released_at IS NULL AND length(payload) = payload_bytes ORDER BY id

-- name: release
-- Note that messages were sent through once more.
UPDATE quarantine SET released_at = now() WHERE id = ANY(%(id)s) AND released_at IS NULL

-- name: newest
-- The newest message that waits; 0: none does.
SELECT coalesce(max(id), 0) FROM quarantine WHERE released_at IS NULL
