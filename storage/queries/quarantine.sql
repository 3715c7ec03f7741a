-- name: waiting
-- Which of many messages wait already.
SELECT digest FROM quarantine WHERE digest = ANY(%(digest)s::bytea[]) AND released_at IS NULL

-- name: count_repeats
-- Count messages that wait already. Returns which of the given ones those are.
UPDATE quarantine q SET seen = q.seen + k.seen, last_seen = greatest(q.last_seen, k.last_seen),
    reason = k.reason, at = k.at, ident = k.ident,
    -- Of what was emptied, words of the message do not come back.
    detail = CASE WHEN q.emptied_at IS NULL THEN k.detail ELSE q.detail END
FROM unnest(%(reason)s::text[], %(at)s, %(detail)s::text[], %(ident)s::text[], %(digest)s::bytea[],
            %(seen)s, %(last_seen)s)
     AS k (reason, at, detail, ident, digest, seen, last_seen)
WHERE q.digest = k.digest AND q.released_at IS NULL
RETURNING q.digest

-- name: insert
-- Take in messages; one that waits there already (another worker's) is counted.
INSERT INTO quarantine AS q (received, topic, payload, payload_bytes, reason, at, detail, ident,
                             sender, digest, seen, last_seen)
SELECT k.received, k.topic, k.payload, k.payload_bytes, k.reason, k.at, k.detail, k.ident, k.sender,
       k.digest, k.seen, k.last_seen
FROM unnest(%(received)s, %(topic)s::text[], %(payload)s::bytea[], %(payload_bytes)s,
            %(reason)s::text[], %(at)s, %(detail)s::text[], %(ident)s::text[], %(sender)s::text[],
            %(digest)s::bytea[], %(seen)s, %(last_seen)s)
     AS k (received, topic, payload, payload_bytes, reason, at, detail, ident, sender, digest, seen,
           last_seen)
ON CONFLICT (digest) WHERE released_at IS NULL DO UPDATE SET
    seen = q.seen + excluded.seen, last_seen = greatest(q.last_seen, excluded.last_seen),
    reason = excluded.reason, at = excluded.at, ident = excluded.ident,
    detail = CASE WHEN q.emptied_at IS NULL THEN excluded.detail ELSE q.detail END

-- name: groups_of_hours
-- How many groups hours have.
SELECT h.hour, count(c.reason) FROM unnest(%(hour)s) AS h (hour)
LEFT JOIN quarantine_counts c ON c.hour = h.hour GROUP BY h.hour

-- name: known_groups
-- Which of the given groups there are.
SELECT c.hour, c.reason, c.sender FROM quarantine_counts c
JOIN unnest(%(hour)s, %(reason)s::text[], %(sender)s::text[]) AS k (hour, reason, sender)
  ON c.hour = k.hour AND c.reason = k.reason AND c.sender = k.sender

-- name: count
-- Count arrivals by group. Returns how many arrivals of each repeated nothing, and what it keeps.
INSERT INTO quarantine_counts AS c (hour, reason, sender, messages, payload_bytes, kept, kept_bytes,
                                    repeats, first_received, last_seen)
SELECT k.hour, k.reason, k.sender, k.messages, k.payload_bytes, 0, 0, k.repeats, k.first, k.last
FROM unnest(%(hour)s, %(reason)s::text[], %(sender)s::text[], %(messages)s, %(payload_bytes)s,
            %(repeats)s, %(first)s, %(last)s)
     AS k (hour, reason, sender, messages, payload_bytes, repeats, first, last)
ON CONFLICT (hour, reason, sender) DO UPDATE SET
    messages = c.messages + excluded.messages,
    payload_bytes = c.payload_bytes + excluded.payload_bytes,
    repeats = c.repeats + excluded.repeats,
    first_received = least(c.first_received, excluded.first_received),
    last_seen = greatest(c.last_seen, excluded.last_seen)
RETURNING hour, reason, sender, messages - repeats, kept, kept_bytes

-- name: count_kept
-- Note what was kept of groups.
UPDATE quarantine_counts c SET kept = c.kept + k.kept, kept_bytes = c.kept_bytes + k.kept_bytes
FROM unnest(%(hour)s, %(reason)s::text[], %(sender)s::text[], %(kept)s, %(kept_bytes)s)
     AS k (hour, reason, sender, kept, kept_bytes)
WHERE c.hour = k.hour AND c.reason = k.reason AND c.sender = k.sender

-- name: page
-- What waits, oldest first, after an id; reason, sender NULL: any.
SELECT id, received, topic, payload_bytes, reason, at, detail, ident, seen, last_seen
FROM quarantine
WHERE released_at IS NULL AND id > %(after)s
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(sender)s::text IS NULL OR sender = %(sender)s)
ORDER BY id LIMIT %(limit)s

-- name: groups
-- What arrived, by reason and sender, and how much of it waits; the most frequent first.
SELECT c.reason, c.sender, sum(c.messages)::bigint, sum(c.payload_bytes)::bigint,
       sum(c.kept)::bigint, sum(c.repeats)::bigint,
       (SELECT count(*) FROM quarantine q
        WHERE q.released_at IS NULL AND q.reason = c.reason AND q.sender = c.sender),
       min(c.first_received), max(c.last_seen)
FROM quarantine_counts c
WHERE c.hour >= %(since)s
  AND (%(reason)s::text IS NULL OR c.reason = %(reason)s)
  AND (%(sender)s::text IS NULL OR c.sender = %(sender)s)
GROUP BY c.reason, c.sender
ORDER BY 3 DESC, 1, 2 LIMIT %(limit)s

-- name: forget
-- One step of the search for erased drivers (migrations/sql/0023_quarantine.sql).
SELECT f.driver, f.emptied, f.reached, f.is_over FROM forget_in_quarantine(%(rows)s, %(bytes)s) f

-- name: drop_released
-- Delete entries that were released long ago, some at a time.
DELETE FROM quarantine WHERE id = ANY(ARRAY(
    SELECT id FROM quarantine WHERE released_at < %(before)s LIMIT %(limit)s))

-- name: drop_waiting
-- Delete entries that waited in vain, some at a time; `quarantine_counts` still counts them.
DELETE FROM quarantine WHERE id = ANY(ARRAY(
    SELECT id FROM quarantine WHERE released_at IS NULL AND last_seen < %(before)s
    LIMIT %(limit)s))

-- name: drop_counts
-- Delete counts of long ago, some at a time.
DELETE FROM quarantine_counts WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM quarantine_counts WHERE hour < %(before)s LIMIT %(limit)s))

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
