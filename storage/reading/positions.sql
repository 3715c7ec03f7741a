-- name: positions
-- A page of the latest positions in order of vehicle, inside a box where one is given.
SELECT l.vehicle_id, v.plate, o.code, l.time, l.received, shown_degrees(l.lon),
       shown_degrees(l.lat), l.speed_kmh, l.heading, d.licence, l.inputs, l.quality
FROM latest l
JOIN vehicles v ON v.id = l.vehicle_id
JOIN operators o ON o.id = v.operator_id
LEFT JOIN visible_drivers d ON d.id = l.driver_id
WHERE (%(operator)s::text IS NULL OR o.code = %(operator)s)
  -- What is registered no longer is nowhere; asked for by its number, it is where it was.
  AND CASE WHEN %(vehicle)s::integer IS NULL THEN v.valid_to > now()
           ELSE l.vehicle_id = %(vehicle)s END
  AND (%(west)s::float8 IS NULL OR
       (l.lon >= %(west)s AND l.lon <= %(east)s AND l.lat >= %(south)s AND l.lat <= %(north)s))
  AND (%(since)s::timestamptz IS NULL OR l.time >= %(since)s)
  AND (%(after)s::bigint IS NULL OR l.vehicle_id > %(after)s)
ORDER BY l.vehicle_id
LIMIT %(rows)s;

-- name: all_positions
-- Every latest position that may be seen, as arrays in order of vehicle.
SELECT array_agg(l.vehicle_id), array_agg(l.time),
       array_agg(shown_degrees(l.lon)), array_agg(shown_degrees(l.lat)), array_agg(l.speed_kmh),
       array_agg(l.heading), array_agg(l.inputs), array_agg(l.quality)
FROM (SELECT k.* FROM latest k JOIN vehicles v ON v.id = k.vehicle_id AND v.valid_to > now()
      ORDER BY k.vehicle_id) l;
