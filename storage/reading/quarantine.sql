-- name: quarantine_reasons
-- What waits in the quarantine, by reason, the most frequent first.
SELECT q.reason, count(*), sum(q.seen)::bigint, min(q.received), max(q.last_seen)
FROM quarantine q
WHERE q.released_at IS NULL
GROUP BY q.reason
ORDER BY 2 DESC, 1;
