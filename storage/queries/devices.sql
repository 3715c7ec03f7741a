-- name: health
-- A page of devices in order of their number, or one of them: when each was last heard of.
SELECT d.id, d.ident, d.codec, d.provider, d.last_fix_at, d.last_received_at, d.refused_24h,
       d.operator, d.vehicle_id, d.note, d.retired_at, d.version, d.id
FROM device_health d
WHERE (%(id)s::integer IS NULL OR d.id = %(id)s)
  AND (%(ident)s::text IS NULL OR d.ident = %(ident)s)
  AND (%(provider)s::text IS NULL OR d.provider = %(provider)s)
  AND (%(operator)s::text IS NULL OR d.operator = %(operator)s)
  AND (%(silent_since)s::timestamptz IS NULL OR d.last_received_at IS NULL
       OR d.last_received_at < %(silent_since)s)
  AND (%(retired)s OR d.retired_at IS NULL)
  AND (%(after)s::bigint IS NULL OR d.id > %(after)s)
ORDER BY d.id LIMIT %(rows)s
