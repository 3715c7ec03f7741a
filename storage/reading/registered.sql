-- name: operators
-- A page of operators in order of their number, or one of them.
SELECT o.id, o.code, o.name, o.province, o.tax_code, o.licence_no, o.retired_at, o.version, o.id
FROM operators o
WHERE (%(id)s::integer IS NULL OR o.id = %(id)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(retired)s OR o.retired_at IS NULL)
  AND (%(after)s::bigint IS NULL OR o.id > %(after)s)
ORDER BY o.id LIMIT %(rows)s;

-- name: assignments
-- A page of assignments of devices in order of their number, or one of them.
SELECT a.id, d.ident, d.id, v.plate, v.id, o.code, a.valid_from, a.valid_to, a.version, a.id
FROM device_assignments a
JOIN devices d ON d.id = a.device_id
JOIN vehicles v ON v.id = a.vehicle_id
JOIN operators o ON o.id = v.operator_id
WHERE (%(id)s::integer IS NULL OR a.id = %(id)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(vehicle)s::integer IS NULL OR v.id = %(vehicle)s)
  AND (%(device)s::integer IS NULL OR d.id = %(device)s)
  AND (%(retired)s OR (a.valid_to > now() AND a.valid_to > a.valid_from))
  AND (%(after)s::bigint IS NULL OR a.id > %(after)s)
ORDER BY a.id LIMIT %(rows)s;

-- name: badges
-- A page of badges in order of their number, or one of them.
SELECT b.id, b.number, b.kind, v.plate, v.id, o.code, b.is_extra, b.valid_from, b.valid_to, b.version,
       b.id
FROM badges b
JOIN vehicles v ON v.id = b.vehicle_id
JOIN operators o ON o.id = v.operator_id
WHERE (%(id)s::integer IS NULL OR b.id = %(id)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(vehicle)s::integer IS NULL OR v.id = %(vehicle)s)
  AND (%(retired)s OR (b.valid_to > now() AND b.valid_to > b.valid_from))
  AND (%(after)s::bigint IS NULL OR b.id > %(after)s)
ORDER BY b.id LIMIT %(rows)s;

-- name: vehicle_routes
-- A page of registrations of vehicles for routes in order of their number, or one of them.
SELECT k.id, v.plate, v.id, o.code, k.route_code, k.valid_from, k.valid_to, k.version, k.id
FROM vehicle_routes k
JOIN vehicles v ON v.id = k.vehicle_id
JOIN operators o ON o.id = v.operator_id
WHERE (%(id)s::integer IS NULL OR k.id = %(id)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(vehicle)s::integer IS NULL OR v.id = %(vehicle)s)
  AND (%(route)s::text IS NULL OR k.route_code = %(route)s)
  AND (%(retired)s OR (k.valid_to > now() AND k.valid_to > k.valid_from))
  AND (%(after)s::bigint IS NULL OR k.id > %(after)s)
ORDER BY k.id LIMIT %(rows)s;

-- name: stations
-- A page of weigh stations in order of their number, or one of them.
SELECT w.id, w.code, w.name, w.province, w.lon, w.lat, w.kind, w.tolerance, w.approach, w.corridor_m,
       w.is_two_way, w.weekly_hours, w.column_map,
       CASE WHEN EXISTS (SELECT FROM station_calibrations c WHERE c.station_id = w.id)
            THEN EXISTS (SELECT FROM station_calibrations c WHERE c.station_id = w.id
                         AND c.valid_from <= now() AND c.valid_to > now())
            ELSE w.calibrated_until > now() END,
       w.retired_at, w.version, w.id
FROM weigh_stations w
WHERE (%(id)s::integer IS NULL OR w.id = %(id)s)
  AND (%(code)s::text IS NULL OR w.code = %(code)s)
  AND (%(retired)s OR w.retired_at IS NULL)
  AND (%(after)s::bigint IS NULL OR w.id > %(after)s)
ORDER BY w.id LIMIT %(rows)s;

-- name: calibrations
-- A page of calibrations in order of their number, or one of them.
SELECT c.id, w.code, c.certificate, c.valid_from, c.valid_to, c.version, c.id
FROM station_calibrations c
JOIN weigh_stations w ON w.id = c.station_id
WHERE (%(id)s::integer IS NULL OR c.id = %(id)s)
  AND (%(code)s::text IS NULL OR w.code = %(code)s)
  AND (%(retired)s OR (c.valid_to > now() AND c.valid_to > c.valid_from))
  AND (%(after)s::bigint IS NULL OR c.id > %(after)s)
ORDER BY c.id LIMIT %(rows)s;

-- name: hold_operator
-- A row that the caller may change, locked: its version, and whether it is over.
SELECT version, retired_at IS NOT NULL FROM operators WHERE id = %(id)s FOR UPDATE;

-- name: hold_vehicle
-- The same of a vehicle's registration.
SELECT version, valid_to <= now() FROM vehicles WHERE id = %(id)s FOR UPDATE;

-- name: hold_device
-- The same of a device.
SELECT version, retired_at IS NOT NULL FROM devices WHERE id = %(id)s FOR UPDATE;

-- name: hold_assignment
-- The same of a device's place.
SELECT version, valid_to <= now() FROM device_assignments WHERE id = %(id)s FOR UPDATE;

-- name: hold_driver
-- The same of a driver.
SELECT version, retired_at IS NOT NULL OR erased_at IS NOT NULL FROM drivers
WHERE id = %(id)s FOR UPDATE;

-- name: hold_badge
-- The same of a badge.
SELECT version, valid_to <= now() FROM badges WHERE id = %(id)s FOR UPDATE;

-- name: hold_vehicle_route
-- The same of a vehicle's route.
SELECT version, valid_to <= now() FROM vehicle_routes WHERE id = %(id)s FOR UPDATE;

-- name: hold_station
-- The same of a weigh station.
SELECT version, retired_at IS NOT NULL FROM weigh_stations WHERE id = %(id)s FOR UPDATE;

-- name: hold_calibration
-- The same of a calibration.
SELECT version, valid_to <= now() FROM station_calibrations WHERE id = %(id)s FOR UPDATE;

-- name: operator_code
-- The code of an operator.
SELECT code FROM operators WHERE id = %(id)s;

-- name: history
-- What became of a thing, newest first.
SELECT h.id, h.at, h.actor, h.reason,
       CASE WHEN h.before IS NULL THEN 'made' WHEN h.after IS NULL THEN 'deleted' ELSE 'changed' END,
       h.before, h.after, h.id
FROM visible_history h
WHERE h.kind = %(kind)s
  AND h.subject = CASE WHEN %(kind)s = 'vehicle'
                       THEN (SELECT v.first_id FROM vehicles v WHERE v.id = %(id)s) ELSE %(id)s END
  AND (%(before)s::bigint IS NULL OR h.id < %(before)s)
ORDER BY h.id DESC LIMIT %(rows)s;
