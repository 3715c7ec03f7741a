-- What stands under the names of rows that are imported: place of the row, number, and the fields of
-- its record. Instants that are infinite are left out, as records leave them out. For things that
-- hold for a span of time: what holds at `since`, now where it is infinite.

-- name: standing_operators
-- Operators, by code.
SELECT r.place, o.id, jsonb_build_object('code', o.code, 'name', o.name, 'province', o.province,
    'tax_code', o.tax_code, 'licence_no', o.licence_no)
FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (code text)) WITH ORDINALITY AS r (code, place)
JOIN operators o ON o.code = r.code

-- name: standing_vehicles
-- Registrations, by plate and time.
SELECT r.place, v.id, jsonb_strip_nulls(jsonb_build_object('plate', v.plate_raw, 'operator', o.code,
    'vehicle_class', v.class, 'kind', v.kind, 'speed_limit_kmh', v.speed_limit_kmh,
    'gross_kg', v.gross_kg, 'kerb_kg', v.kerb_kg, 'cargo_kg', v.cargo_kg, 'axles', v.axles,
    'vin', v.vin,
    'valid_from', CASE WHEN isfinite(v.valid_from)
                  THEN (extract(epoch FROM v.valid_from) * 1000000)::bigint END,
    'valid_to', CASE WHEN isfinite(v.valid_to)
                THEN (extract(epoch FROM v.valid_to) * 1000000)::bigint END))
FROM (
    SELECT k.place, k.plate,
           CASE WHEN isfinite(instant_of(k.since)) THEN instant_of(k.since) ELSE now() END AS at
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (plate text, valid_from bigint))
        WITH ORDINALITY AS k (plate, since, place)
) r
JOIN vehicles v ON v.plate = r.plate AND v.valid_from <= r.at AND v.valid_to > r.at
JOIN operators o ON o.id = v.operator_id

-- name: standing_devices
-- Devices, by ident.
SELECT r.place, d.id, jsonb_build_object('ident', d.ident, 'operator', o.code, 'codec', d.codec,
    'note', d.note)
FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (ident text)) WITH ORDINALITY AS r (ident, place)
JOIN devices d ON d.ident = r.ident
LEFT JOIN operators o ON o.id = d.operator_id

-- name: standing_assignments
-- Which vehicle devices are in.
SELECT r.place, a.id, jsonb_strip_nulls(jsonb_build_object('device', d.ident, 'vehicle', v.plate_raw,
    'valid_from', CASE WHEN isfinite(a.valid_from)
                  THEN (extract(epoch FROM a.valid_from) * 1000000)::bigint END,
    'valid_to', CASE WHEN isfinite(a.valid_to)
                THEN (extract(epoch FROM a.valid_to) * 1000000)::bigint END))
FROM (
    SELECT k.place, k.device,
           CASE WHEN isfinite(instant_of(k.since)) THEN instant_of(k.since) ELSE now() END AS at
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (device text, valid_from bigint))
        WITH ORDINALITY AS k (device, since, place)
) r
JOIN devices d ON d.ident = r.device
JOIN device_assignments a ON a.device_id = d.id AND a.valid_from <= r.at AND a.valid_to > r.at
JOIN vehicles v ON v.id = a.vehicle_id

-- name: standing_drivers
-- Drivers whom somebody has registered, by licence.
SELECT r.place, d.id, jsonb_build_object('licence', d.licence, 'name', d.name, 'operator', d.operator,
    'licence_class', d.licence_class, 'licence_until', d.licence_until)
FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (licence text))
    WITH ORDINALITY AS r (licence, place)
JOIN drivers_by_licence((SELECT array_agg(k.licence) FROM jsonb_to_recordset(%(rows)s::jsonb) AS
     k (licence text))) d ON d.licence = r.licence

-- name: standing_stations
-- Weigh stations, by code.
SELECT r.place, w.id, jsonb_build_object('code', w.code, 'name', w.name, 'lon', w.lon, 'lat', w.lat,
    'province', w.province, 'kind', w.kind, 'tolerance', w.tolerance, 'approach', w.approach,
    'corridor_m', w.corridor_m, 'is_two_way', w.is_two_way, 'weekly_hours', w.weekly_hours,
    'column_map', w.column_map)
FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (code text)) WITH ORDINALITY AS r (code, place)
JOIN weigh_stations w ON w.code = r.code

-- name: standing_badges
-- Badges, by number and time.
SELECT r.place, b.id, jsonb_build_object('number', b.number, 'kind', b.kind, 'vehicle', v.plate_raw,
    'is_extra', b.is_extra,
    'valid_from', (extract(epoch FROM b.valid_from) * 1000000)::bigint,
    'valid_to', (extract(epoch FROM b.valid_to) * 1000000)::bigint)
FROM (
    SELECT k.place, k.number, instant_of(k.since) AS at
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS (number text, valid_from bigint))
        WITH ORDINALITY AS k (number, since, place)
) r
JOIN badges b ON b.number = r.number AND b.valid_from <= r.at AND b.valid_to > r.at
JOIN vehicles v ON v.id = b.vehicle_id

-- name: standing_vehicle_routes
-- Routes that vehicles are registered for.
SELECT r.place, k.id, jsonb_strip_nulls(jsonb_build_object('vehicle', v.plate_raw,
    'route', k.route_code,
    'valid_from', CASE WHEN isfinite(k.valid_from)
                  THEN (extract(epoch FROM k.valid_from) * 1000000)::bigint END,
    'valid_to', CASE WHEN isfinite(k.valid_to)
                THEN (extract(epoch FROM k.valid_to) * 1000000)::bigint END))
FROM (
    SELECT g.place, g.plate, g.route,
           CASE WHEN isfinite(instant_of(g.since)) THEN instant_of(g.since) ELSE now() END AS at
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS
        (plate text, route text, valid_from bigint))
        WITH ORDINALITY AS g (plate, route, since, place)
) r
JOIN vehicles v ON v.plate = r.plate
JOIN vehicle_routes k ON k.vehicle_id = v.id AND k.route_code = r.route
                     AND k.valid_from <= r.at AND k.valid_to > r.at

-- name: standing_calibrations
-- Calibrations, by certificate and time.
SELECT r.place, c.id, jsonb_build_object('station', w.code, 'certificate', c.certificate,
    'valid_from', (extract(epoch FROM c.valid_from) * 1000000)::bigint,
    'valid_to', (extract(epoch FROM c.valid_to) * 1000000)::bigint)
FROM (
    SELECT k.place, k.station, k.certificate, instant_of(k.since) AS at
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS
        (station text, certificate text, valid_from bigint))
        WITH ORDINALITY AS k (station, certificate, since, place)
) r
JOIN weigh_stations w ON w.code = r.station
JOIN station_calibrations c ON c.station_id = w.id AND c.certificate = r.certificate
                           AND c.valid_from <= r.at AND c.valid_to > r.at

-- name: taken_names
-- Which of some codes or idents somebody has, seen by the caller or not.
SELECT t FROM taken_names(%(kind)s, %(names)s::text[]) t
