-- name: counts
-- Standing violations of some vehicles that began in a span, by kind and band: of all together, or of
-- each vehicle, hour (UTC) or local day; the columns of the others are null.
SELECT CASE WHEN %(of)s::text = 'vehicle' THEN v.vehicle_id END,
       CASE WHEN %(of)s = 'hour' THEN date_trunc('hour', v.started_at, 'UTC') END,
       CASE WHEN %(of)s = 'day' THEN (v.started_at AT TIME ZONE %(zone)s::text)::date::text END,
       v.kind, coalesce(v.details ->> 'band', ''), count(*)
FROM violations v
WHERE v.vehicle_id = ANY (%(vehicles)s::integer[])
  AND v.started_at >= %(from)s AND v.started_at < %(to)s
  AND v.status <> 'withdrawn' AND right(v.kind, 8) <> '_warning'
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5;
