-- name: of_plates
-- The violations of vehicles with these plates that meet a span of time, as they stand, and when
-- each was first seen; warnings too. A plate may have been several vehicles', one after the other.
SELECT v.kind, r.plate, v.subject, v.started_at, v.ended_at, v.first_seen_at
FROM vehicles r
JOIN violations v ON v.vehicle_id = r.id
WHERE r.plate = ANY (%(plate)s::text[]) AND v.status <> 'withdrawn'
  AND v.started_at <= %(until)s AND v.ended_at >= %(since)s
ORDER BY v.started_at, r.plate, v.kind, v.subject
