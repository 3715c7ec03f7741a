-- name: health
-- A page of devices in order of their number: when each was last heard of.
SELECT d.ident, d.codec, d.provider, d.last_fix_at, d.last_received_at, d.refused_24h, d.id
FROM device_health d
WHERE (%(provider)s::text IS NULL OR d.provider = %(provider)s)
  AND (%(silent_since)s::timestamptz IS NULL OR d.last_received_at IS NULL
       OR d.last_received_at < %(silent_since)s)
  AND (%(after)s::bigint IS NULL OR d.id > %(after)s)
ORDER BY d.id LIMIT %(rows)s
