-- name: version
-- The number that every change of the registry moves.
SELECT version FROM registry_version

-- name: vehicles
-- Every vehicle that ever was: late data is judged by what was true then.
SELECT id, plate, operator_id, class, kind, speed_limit_kmh, gross_kg, kerb_kg, cargo_kg, axles,
       valid_from, valid_to
FROM vehicles ORDER BY id

-- name: vehicle_routes
-- Which vehicles are registered for which routes.
SELECT vehicle_id, route_code, valid_from, valid_to
FROM vehicle_routes ORDER BY vehicle_id, valid_from, route_code

-- name: devices
-- Which vehicle each device was in, and when.
SELECT d.ident, a.vehicle_id, a.valid_from, a.valid_to
FROM device_assignments a JOIN devices d ON d.id = a.device_id
ORDER BY d.ident, a.valid_from

-- name: drivers
-- Licences.
SELECT licence, id FROM drivers

-- name: zones
-- Every version of every zone, in the order of storage.registry.snapshot.
SELECT id, code, kind, geometry, version, name, operator_id, radius_m, corridor_m, speed_limits,
       classes, weekly_hours, valid_from, valid_to, max_stay_s, min_duration_s, min_gross_kg,
       overrides_road, crossings
FROM zones ORDER BY id

-- name: routes
-- Every version of every route.
SELECT id, code, corridor_m, terminal_a, terminal_b, outbound, inbound, version, name, operator_id,
       valid_from, valid_to
FROM routes ORDER BY id

-- name: route_stops
-- The announced stops of every version.
SELECT route_id, direction, seq, lon, lat, name, compulsory
FROM route_stops ORDER BY route_id, direction, seq

-- name: route_slots
-- The timetable of every version.
SELECT route_id, direction, departs, days, valid_from, valid_to
FROM route_slots ORDER BY route_id, seq

-- name: stations
-- What every weigh station was in time, as far as anything is judged by it.
SELECT w.id, w.code, f.lon, f.lat, w.name, f.kind, f.tolerance, w.calibrated_until, f.approach,
       f.corridor_m, f.is_two_way, f.weekly_hours, f.valid_from, f.valid_to
FROM weigh_stations w JOIN station_facts f ON f.station_id = w.id
ORDER BY w.id, f.valid_from

-- name: column_maps
-- Weigh stations that send CSV, and what they call our columns.
SELECT code, column_map FROM weigh_stations WHERE column_map IS NOT NULL

-- name: calibrations
-- When the masses of stations can be relied on.
SELECT station_id, valid_from, valid_to FROM station_calibrations ORDER BY station_id, valid_from

-- name: add_operator
-- A new operator.
INSERT INTO operators (code, name, province) VALUES (%(code)s, %(name)s, %(province)s) RETURNING id

-- name: operator_id
-- The operator of a code.
SELECT id FROM operators WHERE code = %(code)s

-- name: add_vehicles
-- New vehicles, many at once.
INSERT INTO vehicles (plate, operator_id, class, kind, speed_limit_kmh, gross_kg, kerb_kg, cargo_kg,
                      axles, valid_from, valid_to)
SELECT * FROM unnest(%(plate)s::text[], %(operator_id)s::integer[], %(class)s::text[],
                     %(kind)s::text[], %(speed_limit_kmh)s::real[], %(gross_kg)s::real[],
                     %(kerb_kg)s::real[], %(cargo_kg)s::real[], %(axles)s::smallint[],
                     %(valid_from)s, %(valid_to)s)
RETURNING plate, valid_from, id

-- name: add_devices
-- New devices, many at once.
INSERT INTO devices (ident, codec, note, operator_id)
SELECT k.*, %(operator)s::integer
FROM unnest(%(ident)s::text[], %(codec)s::text[], %(note)s::text[]) k
RETURNING ident, id

-- name: end_assignments
-- A device that goes into another vehicle leaves the one it was in.
UPDATE device_assignments a SET valid_to = k.valid_from
FROM unnest(%(device)s, %(valid_from)s) AS k (device_id, valid_from)
WHERE a.device_id = k.device_id AND a.valid_from < k.valid_from AND a.valid_to > k.valid_from

-- name: assign_devices
-- Which vehicle each device is in from now on.
INSERT INTO device_assignments (device_id, vehicle_id, valid_from, valid_to)
SELECT * FROM unnest(%(device)s, %(vehicle)s, %(valid_from)s, %(valid_to)s)

-- name: add_driver
-- A new driver.
INSERT INTO drivers (licence, name, operator_id) VALUES (%(licence)s, %(name)s, %(operator_id)s)
RETURNING id

-- name: ensure_drivers
-- Drivers that a feed names; those that are there already stay as they are.
INSERT INTO drivers (licence) SELECT DISTINCT unnest(%(licence)s::text[]) ORDER BY 1
ON CONFLICT (licence) DO NOTHING

-- name: driver_ids
-- The drivers of licences.
SELECT licence, id FROM drivers WHERE licence = ANY(%(licence)s::text[])

-- name: take_turn
-- Of two changes of the registry at once, one waits for the other. Released at the transaction's end.
SELECT pg_advisory_xact_lock(%(key)s)

-- name: current_zone
-- The newest version of a zone.
SELECT id, version, valid_from, valid_to FROM zones WHERE code = %(code)s
ORDER BY version DESC LIMIT 1

-- name: newest_zones
-- The newest version of each of some zones, in the order of storage.registry.snapshot.
SELECT DISTINCT ON (code)
       id, code, kind, geometry, version, name, operator_id, radius_m, corridor_m, speed_limits,
       classes, weekly_hours, valid_from, valid_to, max_stay_s, min_duration_s, min_gross_kg,
       overrides_road, crossings
FROM zones WHERE code = ANY(%(code)s::text[]) ORDER BY code, version DESC

-- name: add_zone
-- A version of a zone.
INSERT INTO zones (code, version, name, kind, operator_id, geometry, radius_m, corridor_m,
                   speed_limits, classes, weekly_hours, valid_from, valid_to, max_stay_s,
                   min_duration_s, min_gross_kg, overrides_road, crossings)
VALUES (%(code)s, %(version)s, %(name)s, %(kind)s, %(operator_id)s, %(geometry)s, %(radius_m)s,
        %(corridor_m)s, %(speed_limits)s, %(classes)s, %(weekly_hours)s, %(valid_from)s,
        %(valid_to)s, %(max_stay_s)s, %(min_duration_s)s, %(min_gross_kg)s, %(overrides_road)s,
        %(crossings)s)
RETURNING id

-- name: end_zone
-- Let a version of a zone end.
UPDATE zones SET valid_to = %(valid_to)s WHERE id = %(id)s

-- name: current_route
-- The newest version of a route.
SELECT id, version, valid_from, valid_to FROM routes WHERE code = %(code)s
ORDER BY version DESC LIMIT 1

-- name: newest_routes
-- The newest version of each of some routes.
SELECT DISTINCT ON (code)
       id, code, corridor_m, terminal_a, terminal_b, outbound, inbound, version, name, operator_id,
       valid_from, valid_to
FROM routes WHERE code = ANY(%(code)s::text[]) ORDER BY code, version DESC

-- name: stops_of_routes
-- The announced stops of some versions.
SELECT route_id, direction, seq, lon, lat, name, compulsory
FROM route_stops WHERE route_id = ANY(%(route)s) ORDER BY route_id, direction, seq

-- name: slots_of_routes
-- The timetables of some versions.
SELECT route_id, direction, departs, days, valid_from, valid_to
FROM route_slots WHERE route_id = ANY(%(route)s) ORDER BY route_id, seq

-- name: add_route
-- A version of a route.
INSERT INTO routes (code, version, name, operator_id, corridor_m, terminal_a, terminal_b, outbound,
                    inbound, valid_from, valid_to)
VALUES (%(code)s, %(version)s, %(name)s, %(operator_id)s, %(corridor_m)s, %(terminal_a)s,
        %(terminal_b)s, %(outbound)s, %(inbound)s, %(valid_from)s, %(valid_to)s)
RETURNING id

-- name: add_stops
-- The announced stops of a version.
INSERT INTO route_stops (route_id, direction, seq, name, lon, lat, compulsory)
SELECT %(route_id)s, * FROM unnest(%(direction)s::text[], %(seq)s::integer[], %(name)s::text[],
                                   %(lon)s::float8[], %(lat)s::float8[], %(compulsory)s::boolean[])

-- name: add_slots
-- The timetable of a version. days: lists, or null for every day.
INSERT INTO route_slots (route_id, seq, direction, departs, days, valid_from, valid_to)
SELECT %(route_id)s, k.seq, k.direction, k.departs,
       CASE jsonb_typeof(d.days)
           WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(d.days)) END,
       k.valid_from, k.valid_to
FROM unnest(%(seq)s::integer[], %(direction)s::text[], %(departs)s::text[],
            %(valid_from)s::date[], %(valid_to)s::date[])
     WITH ORDINALITY AS k (seq, direction, departs, valid_from, valid_to, place)
JOIN jsonb_array_elements(%(days)s) WITH ORDINALITY AS d (days, place) USING (place)

-- name: end_route
-- Let a version of a route end.
UPDATE routes SET valid_to = %(valid_to)s WHERE id = %(id)s

-- name: assign_routes
-- Register vehicles for routes.
INSERT INTO vehicle_routes (vehicle_id, route_code, valid_from, valid_to)
SELECT * FROM unnest(%(vehicle)s, %(route)s::text[], %(valid_from)s, %(valid_to)s)

-- name: add_station
-- A new weigh station.
INSERT INTO weigh_stations (code, name, lon, lat, kind, tolerance, calibrated_until, column_map,
                            approach, corridor_m, is_two_way, weekly_hours)
VALUES (%(code)s, %(name)s, %(lon)s, %(lat)s, %(kind)s, %(tolerance)s, %(calibrated_until)s,
        %(column_map)s, %(approach)s, %(corridor_m)s, %(is_two_way)s, %(weekly_hours)s)
RETURNING id
