-- name: now_us
-- When this transaction began.
SELECT (extract(epoch FROM now()) * 1000000)::bigint

-- name: operator_change_flaws
-- Operators that are retired.
SELECT r.place, 'code', o.code, 'an operator that is not retired'
FROM unnest(%(id)s::integer[]) WITH ORDINALITY AS r (id, place)
JOIN operators o ON o.id = r.id WHERE o.retired_at IS NOT NULL

-- name: change_operators
-- What operators are called, and where they are.
UPDATE operators o SET name = r.name, province = r.province, tax_code = r.tax_code,
                       licence_no = r.licence_no
FROM jsonb_to_recordset(%(records)s::jsonb) AS
    r (id integer, name text, province text, tax_code text, licence_no text)
WHERE o.id = r.id

-- name: vehicle_change_flaws
-- Registrations that cannot be followed by another one, of these facts from these instants.
WITH r AS MATERIALIZED (
    SELECT r.place, v.id, v.first_id, v.valid_from AS began_at, v.valid_to, r.plate, r.operator, r.vin,
           CASE WHEN isfinite(instant_of(r.since)) THEN instant_of(r.since) ELSE now() END AS valid_from,
           l.stored_until,
           (v.plate, o.id, v.class, v.kind, v.speed_limit_kmh, v.gross_kg, v.kerb_kg, v.cargo_kg,
            v.axles) IS DISTINCT FROM
           (r.plate, v.operator_id, r.vehicle_class, r.kind, r.speed_limit_kmh, r.gross_kg, r.kerb_kg,
            r.cargo_kg, r.axles) AS is_judged, o.id AS operator_id,
           row_number() OVER (PARTITION BY v.first_id ORDER BY r.place) AS nth
    FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS
        (id integer, plate text, operator text, vehicle_class text, kind text, speed_limit_kmh real,
         gross_kg real, kerb_kg real, cargo_kg real, axles smallint, vin text, valid_from bigint))
        WITH ORDINALITY AS r (id, plate, operator, vehicle_class, kind, speed_limit_kmh, gross_kg,
                              kerb_kg, cargo_kg, axles, vin, since, place)
    LEFT JOIN vehicles v ON v.id = r.id
    LEFT JOIN operators o ON o.code = r.operator AND o.retired_at IS NULL
    LEFT JOIN latest l ON l.vehicle_id = r.id
)
SELECT r.place, 'plate', r.plate, 'a vehicle that is registered, and given once' FROM r
WHERE r.id IS NULL OR r.valid_to <= now() OR r.nth > 1
UNION ALL
SELECT r.place, 'operator', r.operator, 'the code of a registered operator' FROM r
WHERE r.operator_id IS NULL
UNION ALL
SELECT r.place, 'valid_from', r.valid_from::text,
       'an instant after this registration began, ' || r.began_at || ', and before it ends, '
       || r.valid_to FROM r
WHERE r.is_judged AND r.valid_to > now() AND NOT (r.began_at < r.valid_from AND r.valid_from < r.valid_to)
UNION ALL
SELECT r.place, 'valid_from', r.valid_from::text,
       'an instant after the newest fix, which has been judged: ' || r.stored_until FROM r
WHERE r.is_judged AND r.stored_until >= r.valid_from AND r.valid_from < now()
UNION ALL
SELECT r.place, 'plate', r.plate, 'a plate that no other vehicle has then' FROM r
WHERE r.valid_from < r.valid_to AND EXISTS (
    SELECT FROM vehicles v WHERE v.plate = r.plate AND v.id <> r.id AND v.valid_from < v.valid_to
                             AND v.valid_from < r.valid_to AND v.valid_to > r.valid_from)
UNION ALL
SELECT d.place, 'plate', d.plate, 'a plate that is given once'
FROM (SELECT r.place, r.plate, row_number() OVER (PARTITION BY r.plate ORDER BY r.place) AS nth
      FROM r) d
WHERE d.nth > 1
UNION ALL
SELECT r.place, 'vin', r.vin, 'a chassis number that no other vehicle has then' FROM r
WHERE r.valid_from < r.valid_to AND EXISTS (
    SELECT FROM vehicles v WHERE v.vin = r.vin AND v.first_id <> r.first_id
                             AND v.valid_from < v.valid_to
                             AND v.valid_from < r.valid_to AND v.valid_to > r.valid_from)

-- name: correct_vehicles
-- What no fix is judged by is changed in place.
UPDATE vehicles v SET plate_raw = r.plate_raw, vin = r.vin
FROM jsonb_to_recordset(%(records)s::jsonb) AS
    r (id integer, plate text, plate_raw text, operator text, vehicle_class text, kind text,
       speed_limit_kmh real, gross_kg real, kerb_kg real, cargo_kg real, axles smallint, vin text)
JOIN operators o ON o.code = r.operator
WHERE v.id = r.id
  AND (v.plate, v.operator_id, v.class, v.kind, v.speed_limit_kmh, v.gross_kg, v.kerb_kg, v.cargo_kg,
       v.axles) IS NOT DISTINCT FROM
      (r.plate, o.id, r.vehicle_class, r.kind, r.speed_limit_kmh, r.gross_kg, r.kerb_kg, r.cargo_kg,
       r.axles)
RETURNING v.id

-- name: replace_vehicles
-- Registrations end, and the next begin there. Which was followed by which, and when.
WITH r AS MATERIALIZED (
    SELECT r.*, v.first_id, v.valid_to AS until, o.id AS operator_id,
           CASE WHEN isfinite(instant_of(r.valid_from)) THEN instant_of(r.valid_from)
                ELSE now() END AS since
    FROM jsonb_to_recordset(%(records)s::jsonb) AS
        r (id integer, plate text, plate_raw text, operator text, vehicle_class text, kind text,
           speed_limit_kmh real, gross_kg real, kerb_kg real, cargo_kg real, axles smallint, vin text,
           valid_from bigint)
    JOIN vehicles v ON v.id = r.id
    JOIN operators o ON o.code = r.operator
    WHERE r.id <> ALL (%(corrected)s::integer[])
), ended AS (
    UPDATE vehicles v SET valid_to = r.since FROM r WHERE v.id = r.id
), made AS (
    INSERT INTO vehicles (first_id, plate, plate_raw, operator_id, class, kind, speed_limit_kmh,
                          gross_kg, kerb_kg, cargo_kg, axles, vin, valid_from, valid_to)
    SELECT r.first_id, r.plate, r.plate_raw, r.operator_id, r.vehicle_class, r.kind,
           r.speed_limit_kmh, r.gross_kg, r.kerb_kg, r.cargo_kg, r.axles, r.vin, r.since, r.until
    FROM r ORDER BY r.id
    RETURNING id, first_id
)
SELECT r.id, m.id, r.since FROM r JOIN made m USING (first_id) ORDER BY r.id

-- name: move_assignments
-- Devices stay in a vehicle whose registration is followed by another.
WITH k AS MATERIALIZED (
    SELECT * FROM unnest(%(old)s::integer[], %(new)s::integer[], %(at)s::timestamptz[]) k (old, new, at)
), held AS MATERIALIZED (
    SELECT a.id, a.device_id, k.new, k.at, a.valid_from, a.valid_to
    FROM device_assignments a JOIN k ON a.vehicle_id = k.old WHERE a.valid_to > k.at
), ended AS (
    UPDATE device_assignments a
    SET valid_to = CASE WHEN h.valid_from < h.at THEN h.at ELSE a.valid_to END,
        vehicle_id = CASE WHEN h.valid_from < h.at THEN a.vehicle_id ELSE h.new END
    FROM held h WHERE a.id = h.id
)
INSERT INTO device_assignments (device_id, vehicle_id, valid_from, valid_to)
SELECT h.device_id, h.new, h.at, h.valid_to FROM held h WHERE h.valid_from < h.at ORDER BY h.id

-- name: move_licences
-- What an operator is licensed to do with a vehicle goes on with it, but not to another operator.
-- {table}: where it stands, {carried}: what it says beside the vehicle and the span.
WITH k AS MATERIALIZED (
    SELECT k.*, o.operator_id = n.operator_id AS is_kept
    FROM unnest(%(old)s::integer[], %(new)s::integer[], %(at)s::timestamptz[]) k (old, new, at)
    JOIN vehicles o ON o.id = k.old JOIN vehicles n ON n.id = k.new
), held AS MATERIALIZED (
    SELECT b.*, k.new, k.at, k.is_kept
    FROM {table} b JOIN k ON b.vehicle_id = k.old WHERE b.valid_to > k.at
), ended AS (
    UPDATE {table} b
    SET valid_to = CASE WHEN h.valid_from < h.at OR NOT h.is_kept THEN greatest(h.at, b.valid_from)
                        ELSE b.valid_to END,
        vehicle_id = CASE WHEN h.valid_from < h.at OR NOT h.is_kept THEN b.vehicle_id ELSE h.new END
    FROM held h WHERE b.id = h.id
)
INSERT INTO {table} (vehicle_id, valid_from, valid_to, {carried})
SELECT h.new, h.at, h.valid_to, {carried}
FROM held h WHERE h.is_kept AND h.valid_from < h.at ORDER BY h.id

-- name: move_devices
-- What is in a vehicle changes hands with it.
UPDATE devices d SET operator_id = n.operator_id
FROM unnest(%(old)s::integer[], %(new)s::integer[]) k (old, new)
JOIN vehicles o ON o.id = k.old JOIN vehicles n ON n.id = k.new
JOIN device_assignments a ON a.vehicle_id = k.new
WHERE d.id = a.device_id AND d.operator_id = o.operator_id AND o.operator_id <> n.operator_id

-- name: device_change_flaws
-- Devices that are retired, operators that nobody is.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (id integer, operator text))
    WITH ORDINALITY AS r (id, operator, place)
)
SELECT r.place, 'ident', d.ident, 'a device that is not retired'
FROM r JOIN devices d ON d.id = r.id WHERE d.retired_at IS NOT NULL
UNION ALL
SELECT r.place, 'operator', r.operator, 'the code of a registered operator'
FROM r WHERE r.operator IS NOT NULL AND NOT EXISTS
    (SELECT FROM operators o WHERE o.code = r.operator AND o.retired_at IS NULL)

-- name: change_devices
-- What devices speak, and whose they are.
UPDATE devices d SET codec = r.codec, note = r.note,
    operator_id = (SELECT o.id FROM operators o WHERE o.code = r.operator)
FROM jsonb_to_recordset(%(records)s::jsonb) AS r (id integer, codec text, note text, operator text)
WHERE d.id = r.id

-- name: driver_change_flaws
-- Drivers that are erased, operators that nobody is.
WITH r AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset(%(records)s::jsonb) AS (id integer, operator text))
    WITH ORDINALITY AS r (id, operator, place)
)
SELECT r.place, 'licence', NULL::text, 'a driver that is neither retired nor erased'
FROM r JOIN drivers d ON d.id = r.id WHERE d.erased_at IS NOT NULL OR d.retired_at IS NOT NULL
UNION ALL
SELECT r.place, 'operator', r.operator, 'the code of a registered operator'
FROM r WHERE r.operator IS NOT NULL AND NOT EXISTS
    (SELECT FROM operators o WHERE o.code = r.operator AND o.retired_at IS NULL)

-- name: change_drivers
-- What is known of drivers, and whom they drive for. The licence is who a driver is.
UPDATE drivers d SET name = r.name, licence_class = r.licence_class, licence_until = r.licence_until,
    operator_id = (SELECT o.id FROM operators o WHERE o.code = r.operator)
FROM jsonb_to_recordset(%(records)s::jsonb) AS
    r (id integer, name text, licence_class text, licence_until date, operator text)
WHERE d.id = r.id

-- name: station_change_flaws
-- Stations that are retired.
SELECT r.place, 'code', w.code, 'a weigh station that is not retired'
FROM unnest(%(id)s::integer[]) WITH ORDINALITY AS r (id, place)
JOIN weigh_stations w ON w.id = r.id WHERE w.retired_at IS NOT NULL

-- name: change_stations
-- Where stations are, and how they weigh.
UPDATE weigh_stations w
SET name = r.name, province = r.province, lon = r.lon, lat = r.lat, kind = r.kind,
    tolerance = r.tolerance, column_map = nullif(r.column_map, 'null'),
    approach = nullif(r.approach, 'null'), corridor_m = r.corridor_m, is_two_way = r.is_two_way,
    weekly_hours = nullif(r.weekly_hours, 'null')
FROM jsonb_to_recordset(%(records)s::jsonb) AS
    r (id integer, name text, province text, lon float8, lat float8, kind text, tolerance float8,
       column_map jsonb, approach jsonb, corridor_m float8, is_two_way boolean, weekly_hours jsonb)
WHERE w.id = r.id

-- name: operator_retire_flaws
-- Operators that still have vehicles.
SELECT r.place, 'code', o.code, 'an operator without vehicles'
FROM unnest(%(id)s::integer[]) WITH ORDINALITY AS r (id, place) JOIN operators o ON o.id = r.id
WHERE EXISTS (SELECT FROM vehicles v WHERE v.operator_id = r.id AND v.valid_to > now()
                                       AND v.valid_from < v.valid_to)

-- name: retire_operators
-- Operators that are none any more.
UPDATE operators SET retired_at = now() WHERE id = ANY (%(id)s::integer[]) AND retired_at IS NULL

-- name: retire_vehicles
-- Registrations end; what has not begun never does.
UPDATE vehicles SET valid_to = greatest(valid_from, now())
WHERE id = ANY (%(id)s::integer[]) AND valid_to > now() AND valid_to > valid_from

-- name: end_vehicle_assignments
-- Nothing is in a vehicle after its end.
UPDATE device_assignments a SET valid_to = greatest(a.valid_from, v.valid_to)
FROM vehicles v WHERE v.id = ANY (%(id)s::integer[]) AND a.vehicle_id = v.id AND a.valid_to > v.valid_to

-- name: end_vehicle_badges
-- Nor has it a badge.
UPDATE badges b SET valid_to = greatest(b.valid_from, v.valid_to)
FROM vehicles v WHERE v.id = ANY (%(id)s::integer[]) AND b.vehicle_id = v.id AND b.valid_to > v.valid_to

-- name: end_vehicle_vehicle_routes
-- Nor a route.
UPDATE vehicle_routes b SET valid_to = greatest(b.valid_from, v.valid_to)
FROM vehicles v WHERE v.id = ANY (%(id)s::integer[]) AND b.vehicle_id = v.id AND b.valid_to > v.valid_to

-- name: retire_devices
-- Devices that are let in no longer.
UPDATE devices SET retired_at = now() WHERE id = ANY (%(id)s::integer[]) AND retired_at IS NULL

-- name: end_device_assignments
-- They leave the vehicles that they were in.
UPDATE device_assignments SET valid_to = greatest(valid_from, now())
WHERE device_id = ANY (%(id)s::integer[]) AND valid_to > now() AND valid_to > valid_from

-- name: retire_drivers
-- Drivers who drive for nobody any more.
UPDATE drivers SET retired_at = now() WHERE id = ANY (%(id)s::integer[]) AND retired_at IS NULL

-- name: retire_stations
-- Weigh stations that are closed.
UPDATE weigh_stations SET retired_at = now() WHERE id = ANY (%(id)s::integer[]) AND retired_at IS NULL

-- name: retire_assignments
-- Devices leave their vehicles.
UPDATE device_assignments SET valid_to = greatest(valid_from, instant_of(%(at)s))
WHERE id = ANY (%(id)s::integer[]) AND valid_to > instant_of(%(at)s) AND valid_to > valid_from

-- name: retire_badges
-- Badges are given back.
UPDATE badges SET valid_to = greatest(valid_from, instant_of(%(at)s))
WHERE id = ANY (%(id)s::integer[]) AND valid_to > instant_of(%(at)s) AND valid_to > valid_from

-- name: retire_vehicle_routes
-- Vehicles run a route no longer.
UPDATE vehicle_routes SET valid_to = greatest(valid_from, instant_of(%(at)s))
WHERE id = ANY (%(id)s::integer[]) AND valid_to > instant_of(%(at)s) AND valid_to > valid_from

-- name: retire_calibrations
-- A calibration turned out not to hold any longer.
UPDATE station_calibrations SET valid_to = greatest(valid_from, instant_of(%(at)s))
WHERE id = ANY (%(id)s::integer[]) AND valid_to > instant_of(%(at)s) AND valid_to > valid_from
