-- name: quarantine_reasons
-- What waits in the quarantine, by reason, the most frequent first.
SELECT q.reason, count(*), sum(q.seen)::bigint, min(q.received), max(q.last_seen)
FROM quarantine q
WHERE q.released_at IS NULL
GROUP BY q.reason
ORDER BY 2 DESC, 1;

-- name: quarantine_groups
-- What arrived since an instant, by reason and sender, kept or not, the most frequent first.
SELECT c.reason, c.sender, sum(c.messages)::bigint, sum(c.payload_bytes)::bigint,
       sum(c.kept)::bigint,
       (SELECT count(*) FROM quarantine q
        WHERE q.released_at IS NULL AND q.reason = c.reason AND q.sender = c.sender),
       min(c.first_received), max(c.last_seen)
FROM quarantine_counts c
WHERE (%(since)s::timestamptz IS NULL OR c.hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC'))
  AND (%(reason)s::text IS NULL OR c.reason = %(reason)s)
  AND (%(sender)s::text IS NULL OR c.sender = %(sender)s)
GROUP BY c.reason, c.sender
ORDER BY 3 DESC, 1, 2 LIMIT %(limit)s;
