-- name: insert
-- Take in weighings; those that are there already stay as they are. The axles of all of them travel
-- as one array, of which each takes its slice.
INSERT INTO weighings (station_id, vehicle_id, time, received, lane, plate, gross_kg, speed_kmh,
                       length_m, axle_kg, axle_spacing_m, extra)
SELECT k.station_id, k.vehicle_id, k.time, k.received, k.lane, k.plate, k.gross_kg, k.speed_kmh,
       k.length_m, a.axle_kg[k.first:k.last], a.axle_spacing_m[k.first:k.last], k.extra::jsonb
FROM unnest(%(station)s, %(vehicle)s, %(time)s, %(received)s, %(lane)s, %(plate)s::text[],
            %(gross_kg)s, %(speed_kmh)s, %(length_m)s, %(first)s, %(last)s, %(extra)s::text[])
     AS k (station_id, vehicle_id, time, received, lane, plate, gross_kg, speed_kmh, length_m, first,
           last, extra)
CROSS JOIN (SELECT %(axle_kg)s::float8[] AS axle_kg, %(axle_spacing_m)s::float8[] AS axle_spacing_m) a
ON CONFLICT (station_id, time, lane, plate) DO NOTHING
RETURNING station_id, time, lane, plate

-- name: since
-- The weighings of each vehicle from its instant on, with their stations as they were then.
SELECT w.vehicle_id, w.time, w.received, w.lane, w.plate, w.gross_kg, w.speed_kmh, w.length_m,
       w.axle_kg, w.axle_spacing_m, s.id, s.code, f.lon, f.lat, s.name, f.kind, f.tolerance,
       coalesce(calibrated_until(s, w.time), '-infinity')
FROM unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
JOIN weighings w ON w.vehicle_id = k.vehicle_id AND w.time >= k.since
JOIN weigh_stations s ON s.id = w.station_id
JOIN station_facts f ON f.station_id = s.id AND f.valid_from <= w.time AND f.valid_to > w.time
ORDER BY w.vehicle_id, w.time, w.id
