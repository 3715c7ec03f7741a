-- name: hours
-- What a vehicle did, by hour.
SELECT h.hour, h.fixes, h.clean_fixes, h.distance_m, h.driving_s, h.silent_s, h.max_speed_kmh
FROM vehicle_hours(ARRAY[%(vehicle)s::integer], %(from)s, %(to)s) h
ORDER BY h.hour;

-- name: days
-- What a vehicle did, by local day.
SELECT (h.hour AT TIME ZONE %(zone)s)::date::text, sum(h.fixes)::bigint, sum(h.clean_fixes)::bigint,
       sum(h.distance_m), sum(h.driving_s), sum(h.silent_s), max(h.max_speed_kmh)
FROM vehicle_hours(ARRAY[%(vehicle)s::integer], %(from)s, %(to)s) h
GROUP BY 1
ORDER BY 1;

-- name: fleet
-- The vehicles of an operator, ascending.
SELECT v.id FROM operators o JOIN vehicles v ON v.operator_id = o.id
WHERE o.code = %(operator)s
ORDER BY v.id;

-- name: vehicles_done
-- What each of some vehicles did in a span, those that sent anything.
SELECT h.vehicle_id, sum(h.fixes)::bigint, sum(h.clean_fixes)::bigint, sum(h.distance_m),
       sum(h.driving_s), sum(h.silent_s), max(h.max_speed_kmh)
FROM vehicle_hours(%(vehicles)s::integer[], %(from)s, %(to)s) h
GROUP BY 1
ORDER BY 1;

-- name: violation_counts
-- Standing violations of an operator's vehicles that began in a span, by kind and band.
SELECT v.kind, coalesce(v.details ->> 'band', ''), count(*)
FROM violations v
JOIN vehicles h ON h.id = v.vehicle_id
JOIN operators o ON o.id = h.operator_id
WHERE o.code = %(operator)s AND v.started_at >= %(from)s AND v.started_at < %(to)s
  AND v.status <> 'withdrawn' AND right(v.kind, 8) <> '_warning'
GROUP BY 1, 2
ORDER BY 1, 2;
