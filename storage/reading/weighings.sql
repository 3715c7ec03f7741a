-- name: weighings
-- A page of weighings, newest first; each condition holds where its parameter is given.
SELECT w.id, s.code, s.name, f.kind, f.lon, f.lat,
       calibrated_until(s, w.time), w.vehicle_id, w.plate,
       v.plate, o.code, w.time, w.received, nullif(w.lane, 0), w.gross_kg, w.speed_kmh, w.length_m,
       w.axle_kg, w.axle_spacing_m,
       CASE WHEN (SELECT scope_can('personal')) THEN w.extra ELSE without_driver(w.extra) END,
       ARRAY[(extract(epoch FROM w.time) * 1000000)::bigint, w.id]
FROM weighings w
JOIN weigh_stations s ON s.id = w.station_id
JOIN station_facts f ON f.station_id = s.id AND f.valid_from <= w.time AND f.valid_to > w.time
JOIN vehicles v ON v.id = w.vehicle_id
JOIN operators o ON o.id = v.operator_id
WHERE (%(station)s::text IS NULL OR s.code = %(station)s)
  AND (%(vehicle)s::integer IS NULL OR w.vehicle_id = %(vehicle)s)
  AND (%(plate)s::text IS NULL OR w.plate = %(plate)s OR v.plate = %(plate)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(from)s::timestamptz IS NULL OR w.time >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR w.time < %(to)s)
  AND (%(min_gross_kg)s::float8 IS NULL OR w.gross_kg >= %(min_gross_kg)s)
  AND (%(before_us)s::bigint IS NULL OR (w.time, w.id) <
       (timestamptz 'epoch' + %(before_us)s::bigint * interval '1 microsecond', %(before_id)s))
ORDER BY w.time DESC, w.id DESC
LIMIT %(rows)s;

-- name: weighings_at
-- The weighings of one vehicle at one instant and station: what an overload was judged from.
SELECT w.id, s.code, s.name, f.kind, f.lon, f.lat,
       calibrated_until(s, w.time), w.vehicle_id, w.plate,
       v.plate, o.code, w.time, w.received, nullif(w.lane, 0), w.gross_kg, w.speed_kmh, w.length_m,
       w.axle_kg, w.axle_spacing_m,
       CASE WHEN (SELECT scope_can('personal')) THEN w.extra ELSE without_driver(w.extra) END
FROM weighings w
JOIN weigh_stations s ON s.id = w.station_id
JOIN station_facts f ON f.station_id = s.id AND f.valid_from <= w.time AND f.valid_to > w.time
JOIN vehicles v ON v.id = w.vehicle_id
JOIN operators o ON o.id = v.operator_id
WHERE w.vehicle_id = %(vehicle)s AND s.code = %(station)s
  AND w.time = timestamptz 'epoch' + %(at_us)s::bigint * interval '1 microsecond'
ORDER BY w.id
LIMIT 100;
