-- name: note
-- Who writes, and why, for the history of this transaction.
SELECT set_config('hanhtrinh.actor', %(actor)s, true), set_config('hanhtrinh.reason', %(reason)s, true)

-- name: operator_flaws
-- Codes that are taken, in the database or by an earlier row.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (code text))
    WITH ORDINALITY AS r (code, place)
)
SELECT r.place, 'code', r.code, 'a code that nobody uses'
FROM r WHERE EXISTS (SELECT FROM operators o WHERE o.code = r.code)
UNION ALL
SELECT d.place, 'code', d.code, 'a code that is given once'
FROM (SELECT r.*, row_number() OVER (PARTITION BY r.code ORDER BY r.place) AS nth FROM r) d
WHERE d.nth > 1

-- name: make_operators
-- New operators.
INSERT INTO operators (code, name, province, tax_code, licence_no)
SELECT r.code, r.name, r.province, r.tax_code, r.licence_no
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (code text, name text, province text, tax_code text, licence_no text))
    WITH ORDINALITY AS r (code, name, province, tax_code, licence_no, place)
ORDER BY r.place
RETURNING id

-- name: vehicle_flaws
-- Operators that nobody is; plates and chassis numbers that another vehicle has at the same time.
WITH r AS MATERIALIZED (
    SELECT r.place, r.plate, r.operator, r.vin, instant_of(r.since) AS valid_from,
           instant_of(r.until) AS valid_to
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (plate text, operator text, vin text, valid_from bigint, valid_to bigint))
        WITH ORDINALITY AS r (plate, operator, vin, since, until, place)
)
SELECT r.place, 'operator', r.operator, 'the code of a registered operator'
FROM r WHERE NOT EXISTS (SELECT FROM operators o WHERE o.code = r.operator AND o.retired_at IS NULL)
UNION ALL
SELECT d.place, 'plate', d.plate, 'a plate that is given once at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.plate ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'plate', r.plate, 'a plate that no other vehicle has then'
FROM r WHERE EXISTS (SELECT FROM vehicles v WHERE v.plate = r.plate
                     AND v.valid_from < v.valid_to
                     AND v.valid_from < r.valid_to AND v.valid_to > r.valid_from)
UNION ALL
SELECT d.place, 'vin', d.vin, 'a chassis number that is given once at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.vin ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r
      WHERE r.vin IS NOT NULL) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'vin', r.vin, 'a chassis number that no other vehicle has then'
FROM r WHERE EXISTS (SELECT FROM vehicles v WHERE v.vin = r.vin
                     AND v.valid_from < v.valid_to
                     AND v.valid_from < r.valid_to AND v.valid_to > r.valid_from)

-- name: make_vehicles
-- New vehicles.
INSERT INTO vehicles (plate, plate_raw, operator_id, class, kind, speed_limit_kmh, gross_kg, kerb_kg,
                      cargo_kg, axles, vin, valid_from, valid_to)
SELECT r.plate, r.plate_raw, o.id, r.vehicle_class, r.kind, r.speed_limit_kmh, r.gross_kg, r.kerb_kg,
       r.cargo_kg, r.axles, r.vin, instant_of(r.since), instant_of(r.until)
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (plate text, plate_raw text, operator text, vehicle_class text, kind text, speed_limit_kmh real,
     gross_kg real, kerb_kg real, cargo_kg real, axles smallint, vin text, valid_from bigint,
     valid_to bigint))
    WITH ORDINALITY AS r (plate, plate_raw, operator, vehicle_class, kind, speed_limit_kmh, gross_kg,
                          kerb_kg, cargo_kg, axles, vin, since, until, place)
JOIN operators o ON o.code = r.operator
ORDER BY r.place
RETURNING id

-- name: device_flaws
-- Operators that nobody is; idents that are taken.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (ident text, operator text))
    WITH ORDINALITY AS r (ident, operator, place)
)
SELECT r.place, 'operator', r.operator, 'the code of a registered operator'
FROM r WHERE r.operator IS NOT NULL AND NOT EXISTS
    (SELECT FROM operators o WHERE o.code = r.operator AND o.retired_at IS NULL)
UNION ALL
SELECT r.place, 'ident', r.ident, 'an ident that no other device has'
FROM r WHERE EXISTS (SELECT FROM devices d WHERE d.ident = r.ident)
UNION ALL
SELECT d.place, 'ident', d.ident, 'an ident that is given once'
FROM (SELECT r.*, row_number() OVER (PARTITION BY r.ident ORDER BY r.place) AS nth FROM r) d
WHERE d.nth > 1

-- name: make_devices
-- New devices.
INSERT INTO devices (ident, codec, note, operator_id)
SELECT r.ident, r.codec, r.note, o.id
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (ident text, codec text, note text, operator text))
    WITH ORDINALITY AS r (ident, codec, note, operator, place)
LEFT JOIN operators o ON o.code = r.operator
ORDER BY r.place
RETURNING id

-- name: assignment_flaws
-- Devices and vehicles that nobody is, and devices that are in a vehicle at the same time.
WITH r AS MATERIALIZED (
    SELECT r.place, r.device, r.vehicle, d.id AS device_id, v.vehicle_id, v.ends_at,
           coalesce(v.valid_from, instant_of(r.since)) AS valid_from,
           coalesce(v.valid_to, instant_of(r.until)) AS valid_to
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (device text, plate text, valid_from bigint, valid_to bigint))
        WITH ORDINALITY AS r (device, vehicle, since, until, place)
    LEFT JOIN devices d ON d.ident = r.device AND d.retired_at IS NULL
    LEFT JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v ON true
)
SELECT r.place, 'device', r.device, 'the ident of a registered device' FROM r
WHERE r.device_id IS NULL
UNION ALL
SELECT r.place, 'vehicle', r.vehicle, 'the plate of a vehicle registered then' FROM r
WHERE r.vehicle_id IS NULL
UNION ALL
SELECT r.place, 'valid_to', r.valid_to::text,
       'an instant not after the vehicle''s registration ends, ' || r.ends_at FROM r
WHERE r.valid_to > r.ends_at
UNION ALL
SELECT d.place, 'device', d.device, 'a device that is in one vehicle at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.device ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'device', r.device, 'a device that is in no other vehicle then'
FROM r WHERE EXISTS (SELECT FROM device_assignments a WHERE a.device_id = r.device_id
                     AND a.valid_from < a.valid_to
                     AND a.valid_from < r.valid_to AND a.valid_to > r.valid_from)

-- name: make_assignments
-- Devices go into vehicles.
INSERT INTO device_assignments (device_id, vehicle_id, valid_from, valid_to)
SELECT d.id, v.vehicle_id, v.valid_from, v.valid_to
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (device text, plate text, valid_from bigint, valid_to bigint))
    WITH ORDINALITY AS r (device, vehicle, since, until, place)
JOIN devices d ON d.ident = r.device
CROSS JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v
ORDER BY r.place
RETURNING id

-- name: driver_flaws
-- Operators that nobody is; licences that somebody has registered.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (licence text, operator text))
    WITH ORDINALITY AS r (licence, operator, place)
)
SELECT r.place, 'operator', r.operator, 'the code of a registered operator'
FROM r WHERE r.operator IS NOT NULL AND NOT EXISTS
    (SELECT FROM operators o WHERE o.code = r.operator AND o.retired_at IS NULL)
UNION ALL
SELECT r.place, 'licence', r.licence, 'a licence that no registered driver has'
FROM r JOIN taken_licences((SELECT array_agg(k.licence) FROM r k)) AS t (licence) USING (licence)
UNION ALL
SELECT d.place, 'licence', d.licence, 'a licence that is given once'
FROM (SELECT r.*, row_number() OVER (PARTITION BY r.licence ORDER BY r.place) AS nth FROM r) d
WHERE d.nth > 1

-- name: claim_drivers
-- Drivers whom feeds have named before somebody registered them: theirs from now on.
SELECT c.licence, c.id FROM claim_drivers(
    (SELECT array_agg(r.licence ORDER BY r.place) FROM ROWS FROM (
        jsonb_to_recordset(%(records)s::jsonb) AS (licence text)) WITH ORDINALITY AS r (licence, place)),
    (SELECT array_agg(o.id ORDER BY r.place) FROM ROWS FROM (
        jsonb_to_recordset(%(records)s::jsonb) AS (operator text)) WITH ORDINALITY AS r (operator, place)
     LEFT JOIN operators o ON o.code = r.operator)) c

-- name: complete_drivers
-- What is known of claimed drivers.
UPDATE drivers d SET name = r.name, licence_class = r.licence_class, licence_until = r.licence_until
FROM jsonb_to_recordset(%(records)s::jsonb) AS
    r (id integer, name text, licence_class text, licence_until date)
WHERE d.id = r.id

-- name: make_drivers
-- New drivers.
INSERT INTO drivers (licence, name, operator_id, licence_class, licence_until)
SELECT r.licence, r.name, o.id, r.licence_class, r.licence_until
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (licence text, name text, operator text, licence_class text, licence_until date))
    WITH ORDINALITY AS r (licence, name, operator, licence_class, licence_until, place)
LEFT JOIN operators o ON o.code = r.operator
ORDER BY r.place
RETURNING id

-- name: badge_flaws
-- Vehicles that nobody is; badges and vehicles that have another at the same time.
WITH r AS MATERIALIZED (
    SELECT r.place, r.number, r.is_extra, r.vehicle, v.vehicle_id, v.ends_at,
           instant_of(r.since) AS valid_from, instant_of(r.until) AS valid_to
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (number text, is_extra boolean, plate text, valid_from bigint, valid_to bigint))
        WITH ORDINALITY AS r (number, is_extra, vehicle, since, until, place)
    LEFT JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v ON true
)
SELECT r.place, 'vehicle', r.vehicle, 'the plate of a vehicle registered then' FROM r
WHERE r.vehicle_id IS NULL
UNION ALL
SELECT r.place, 'valid_to', r.valid_to::text,
       'an instant not after the vehicle''s registration ends, ' || r.ends_at FROM r
WHERE r.valid_to > r.ends_at
UNION ALL
SELECT d.place, 'number', d.number, 'a number that is given once at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.number ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'number', r.number, 'a number that no other badge has then'
FROM r WHERE EXISTS (SELECT FROM badges b WHERE b.number = r.number
                     AND b.valid_from < b.valid_to
                     AND b.valid_from < r.valid_to AND b.valid_to > r.valid_from)
UNION ALL
SELECT d.place, 'vehicle', d.vehicle, 'a vehicle that has one badge at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.vehicle, r.is_extra
          ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'vehicle', r.vehicle, 'a vehicle that has no other badge then'
FROM r WHERE EXISTS (SELECT FROM badges b WHERE b.vehicle_id = r.vehicle_id AND b.is_extra = r.is_extra
                     AND b.valid_from < b.valid_to
                     AND b.valid_from < r.valid_to AND b.valid_to > r.valid_from)

-- name: make_badges
-- New badges.
INSERT INTO badges (number, kind, vehicle_id, is_extra, valid_from, valid_to)
SELECT r.number, r.kind, v.vehicle_id, r.is_extra, v.valid_from, v.valid_to
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (number text, kind text, is_extra boolean, plate text, valid_from bigint, valid_to bigint))
    WITH ORDINALITY AS r (number, kind, is_extra, vehicle, since, until, place)
CROSS JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v
ORDER BY r.place
RETURNING id

-- name: vehicle_route_flaws
-- Vehicles and routes that nobody is; the same registration twice at a time.
WITH r AS MATERIALIZED (
    SELECT r.place, r.vehicle, r.route, v.vehicle_id, v.ends_at,
           coalesce(v.valid_from, instant_of(r.since)) AS valid_from,
           coalesce(v.valid_to, instant_of(r.until)) AS valid_to
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (plate text, route text, valid_from bigint, valid_to bigint))
        WITH ORDINALITY AS r (vehicle, route, since, until, place)
    LEFT JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v ON true
)
SELECT r.place, 'vehicle', r.vehicle, 'the plate of a vehicle registered then' FROM r
WHERE r.vehicle_id IS NULL
UNION ALL
SELECT r.place, 'route', r.route, 'the code of a route in force' FROM r
WHERE NOT EXISTS (SELECT FROM routes k WHERE k.code = r.route AND k.valid_to > now())
UNION ALL
SELECT r.place, 'valid_to', r.valid_to::text,
       'an instant not after the vehicle''s registration ends, ' || r.ends_at FROM r
WHERE r.valid_to > r.ends_at
UNION ALL
SELECT d.place, 'route', d.route, 'a route that is given once at a time for a vehicle'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.vehicle, r.route
          ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'route', r.route, 'a route that the vehicle is not registered for then'
FROM r WHERE EXISTS (SELECT FROM vehicle_routes k WHERE k.vehicle_id = r.vehicle_id
                     AND k.route_code = r.route
                     AND k.valid_from < k.valid_to
                     AND k.valid_from < r.valid_to AND k.valid_to > r.valid_from)

-- name: make_vehicle_routes
-- Vehicles are registered for routes.
INSERT INTO vehicle_routes (vehicle_id, route_code, valid_from, valid_to)
SELECT v.vehicle_id, r.route, v.valid_from, v.valid_to
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (plate text, route text, valid_from bigint, valid_to bigint))
    WITH ORDINALITY AS r (vehicle, route, since, until, place)
CROSS JOIN LATERAL registration_at(r.vehicle, instant_of(r.since), instant_of(r.until)) v
ORDER BY r.place
RETURNING id

-- name: station_flaws
-- Codes that are taken.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (code text))
    WITH ORDINALITY AS r (code, place)
)
SELECT r.place, 'code', r.code, 'a code that no other station has'
FROM r WHERE EXISTS (SELECT FROM weigh_stations w WHERE w.code = r.code)
UNION ALL
SELECT d.place, 'code', d.code, 'a code that is given once'
FROM (SELECT r.*, row_number() OVER (PARTITION BY r.code ORDER BY r.place) AS nth FROM r) d
WHERE d.nth > 1

-- name: make_stations
-- New weigh stations.
INSERT INTO weigh_stations (code, name, province, lon, lat, kind, tolerance, column_map, approach,
                            corridor_m, is_two_way, weekly_hours)
SELECT r.code, r.name, r.province, r.lon, r.lat, r.kind, r.tolerance, nullif(r.column_map, 'null'),
       nullif(r.approach, 'null'), r.corridor_m, r.is_two_way, nullif(r.weekly_hours, 'null')
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (code text, name text, province text, lon float8, lat float8, kind text, tolerance float8,
     column_map jsonb, approach jsonb, corridor_m float8, is_two_way boolean, weekly_hours jsonb))
    WITH ORDINALITY AS r (code, name, province, lon, lat, kind, tolerance, column_map, approach,
                          corridor_m, is_two_way, weekly_hours, place)
ORDER BY r.place
RETURNING id

-- name: calibration_flaws
-- Stations that nobody is, and calibrations that overlap.
WITH r AS MATERIALIZED (
    SELECT r.place, r.station, w.id AS station_id, instant_of(r.since) AS valid_from,
           instant_of(r.until) AS valid_to
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (station text, valid_from bigint, valid_to bigint))
        WITH ORDINALITY AS r (station, since, until, place)
    LEFT JOIN weigh_stations w ON w.code = r.station AND w.retired_at IS NULL
)
SELECT r.place, 'station', r.station, 'the code of a registered weigh station' FROM r
WHERE r.station_id IS NULL
UNION ALL
SELECT d.place, 'valid_from', d.valid_from::text, 'one calibration of a station at a time'
FROM (SELECT r.*, max(r.valid_to) OVER (PARTITION BY r.station ORDER BY r.valid_from, r.place
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until FROM r) d
WHERE d.taken_until > d.valid_from
UNION ALL
SELECT r.place, 'valid_from', r.valid_from::text, 'an instant that no other calibration covers'
FROM r WHERE EXISTS (SELECT FROM station_calibrations c WHERE c.station_id = r.station_id
                     AND c.valid_from < c.valid_to
                     AND c.valid_from < r.valid_to AND c.valid_to > r.valid_from)

-- name: make_calibrations
-- New calibrations.
INSERT INTO station_calibrations (station_id, certificate, valid_from, valid_to)
SELECT w.id, r.certificate, instant_of(r.since), instant_of(r.until)
FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
    (station text, certificate text, valid_from bigint, valid_to bigint))
    WITH ORDINALITY AS r (station, certificate, since, until, place)
JOIN weigh_stations w ON w.code = r.station
ORDER BY r.place
RETURNING id
