-- name: vehicles
-- A page of vehicles in order of id; each condition holds where its parameter is given.
SELECT v.id, v.first_id, v.plate, v.plate_raw, o.code, o.name, v.class, v.kind, v.speed_limit_kmh,
       v.gross_kg, v.kerb_kg, v.cargo_kg, v.axles, v.vin, v.valid_from, v.valid_to, v.version,
       v.valid_to <= now(), v.id
FROM vehicles v
JOIN operators o ON o.id = v.operator_id
WHERE (%(plate)s::text IS NULL OR v.plate = %(plate)s)
  AND (%(plate_prefix)s::text IS NULL OR starts_with(v.plate, %(plate_prefix)s))
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(retired)s OR v.valid_to > now())
  AND (%(after)s::bigint IS NULL OR v.id > %(after)s)
ORDER BY v.id
LIMIT %(rows)s;

-- name: vehicle
-- One vehicle.
SELECT v.id, v.first_id, v.plate, v.plate_raw, o.code, o.name, v.class, v.kind, v.speed_limit_kmh,
       v.gross_kg, v.kerb_kg, v.cargo_kg, v.axles, v.vin, v.valid_from, v.valid_to, v.version,
       v.valid_to <= now()
FROM vehicles v
JOIN operators o ON o.id = v.operator_id
WHERE v.id = %(vehicle)s;

-- name: registrations
-- What was registered of the same vehicle, newest first.
SELECT v.id, v.plate, o.code, v.valid_from, v.valid_to
FROM vehicles v
JOIN operators o ON o.id = v.operator_id
WHERE v.first_id = %(first)s
ORDER BY v.valid_from DESC, v.id DESC
LIMIT 1000;

-- name: vehicle_routes
-- Routes that a vehicle is or was bound to, newest first.
SELECT r.route_code, r.valid_from, r.valid_to
FROM vehicle_routes r
WHERE r.vehicle_id = %(vehicle)s
ORDER BY r.valid_from DESC, r.route_code
LIMIT 100;

-- name: vehicle_devices
-- Devices that a vehicle carries or carried, newest first.
SELECT d.ident, d.codec, a.valid_from, a.valid_to
FROM device_assignments a
JOIN devices d ON d.id = a.device_id
WHERE a.vehicle_id = %(vehicle)s
ORDER BY a.valid_from DESC, d.ident
LIMIT 100;

-- name: visits
-- A page of a vehicle's visits to zones, newest first.
SELECT z.code, z.version, z.name, z.kind, t.entered_at, t.left_at,
       extract(epoch FROM t.left_at - t.entered_at)::float8, t.is_open, t.fixes,
       ARRAY[(extract(epoch FROM t.entered_at) * 1000000)::bigint, t.zone_id::bigint]
FROM zone_visits t
JOIN zones z ON z.id = t.zone_id
WHERE t.vehicle_id = %(vehicle)s
  AND (%(zone)s::text IS NULL OR z.code = %(zone)s)
  AND (%(from)s::timestamptz IS NULL OR t.entered_at >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR t.entered_at < %(to)s)
  AND (%(before_us)s::bigint IS NULL OR (t.entered_at, t.zone_id) <
       (timestamptz 'epoch' + %(before_us)s::bigint * interval '1 microsecond', %(before_id)s))
ORDER BY t.entered_at DESC, t.zone_id DESC
LIMIT %(rows)s;
