-- name: hours
-- What a vehicle did, by hour.
SELECT h.hour, h.fixes, h.clean_fixes, h.distance_m, h.driving_s, h.silent_s, h.max_speed_kmh
FROM vehicle_hours(ARRAY[%(vehicle)s::integer], %(from)s, %(to)s) h
ORDER BY h.hour;

-- name: days
-- What a vehicle did, by local day.
SELECT d.day::text, d.fixes, d.clean_fixes, d.distance_m, d.driving_s, d.silent_s, d.max_speed_kmh
FROM vehicle_days(ARRAY[%(vehicle)s::integer], %(first)s, %(until)s, %(zone)s) d
ORDER BY d.day;

-- name: fleet
-- The vehicles of an operator, ascending.
SELECT v.id FROM operators o JOIN vehicles v ON v.operator_id = o.id
WHERE o.code = %(operator)s
ORDER BY v.id;

-- name: vehicles_done
-- What each of some vehicles did in a span of local days, those that sent anything.
SELECT d.vehicle_id, sum(d.fixes)::bigint, sum(d.clean_fixes)::bigint, sum(d.distance_m),
       sum(d.driving_s), sum(d.silent_s), max(d.max_speed_kmh)
FROM vehicle_days(%(vehicles)s::integer[], %(first)s, %(until)s, %(zone)s) d
GROUP BY 1
ORDER BY 1;
