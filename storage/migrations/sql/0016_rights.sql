-- Who may change the registry (docs/access.md): the authority registers operators, vehicles, badges,
-- routes of vehicles and stations; operators their devices, what these are in, and their drivers.

CREATE OR REPLACE FUNCTION abilities_of(role text, province text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE role
    WHEN 'administrator' THEN
        ARRAY['read', 'write', 'register', 'devices', 'quarantine', 'people', 'audit', 'erase']
    WHEN 'inspector' THEN CASE WHEN province IS NULL
        THEN ARRAY['read', 'write', 'register', 'devices', 'personal', 'quarantine']
        ELSE ARRAY['read', 'write', 'register', 'devices', 'personal'] END
    WHEN 'operator' THEN ARRAY['read', 'write', 'devices', 'personal', 'erase']
    WHEN 'provider' THEN ARRAY['devices']
    WHEN 'reader' THEN ARRAY['read', 'devices']
    ELSE ARRAY[]::text[] END;

-- The province that bounds the caller; NULL, which equals nothing, for anybody else.
CREATE FUNCTION scope_province() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN (SELECT h.province FROM holder_of(scope_digest()) h WHERE 'read' = ANY (h.abilities));

-- The devices of the operators that may be seen; devices' own policy asks what they are in.
CREATE FUNCTION scope_devices() RETURNS integer[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN coalesce((SELECT array_agg(d.id) FROM devices d
                 WHERE d.operator_id = ANY (scope_operators())), ARRAY[]::integer[]);

-- Seeing and changing are two policies from now on.
DO $$
DECLARE
    seen text;
    shown text;
BEGIN
    FOREACH seen IN ARRAY ARRAY['operators', 'vehicles', 'devices', 'device_assignments', 'drivers',
                                'vehicle_routes', 'weigh_stations']
    LOOP
        SELECT pg_get_expr(p.polqual, p.polrelid) INTO STRICT shown FROM pg_policy p
        WHERE p.polrelid = seen::regclass AND p.polname = 'visible';
        EXECUTE format('DROP POLICY visible ON %I', seen);
        shown := shown || CASE seen
            WHEN 'operators' THEN ' OR province = (SELECT scope_province())'
            WHEN 'devices' THEN ' OR operator_id = ANY ((SELECT scope_operators())::integer[])'
            ELSE '' END;
        EXECUTE format('CREATE POLICY visible ON %I FOR SELECT TO hanhtrinh_api USING (%s)',
                       seen, shown);
    END LOOP;
END $$;

ALTER TABLE badges ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON badges FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_national()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v
            WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[])));
ALTER TABLE station_calibrations ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON station_calibrations FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_set()));
ALTER TABLE registry_history ENABLE ROW LEVEL SECURITY;

DO $$
DECLARE
    one text[];
    of_operator text := 'operator_id = ANY ((SELECT scope_operators())::integer[])';
    of_province text := 'province = (SELECT scope_province())';
    of_vehicle text := 'vehicle_id IN (SELECT v.id FROM vehicles v
                        WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[]))';
BEGIN
    FOREACH one SLICE 1 IN ARRAY ARRAY[
        ['operators', 'register', of_province],
        ['vehicles', 'register', of_operator],
        ['badges', 'register', of_vehicle],
        ['vehicle_routes', 'register', of_vehicle],
        ['weigh_stations', 'register', of_province],
        ['station_calibrations', 'register',
         'station_id IN (SELECT w.id FROM weigh_stations w WHERE w.' || of_province || ')'],
        ['devices', 'write', of_operator],
        ['drivers', 'write', of_operator]]
    LOOP
        EXECUTE format('CREATE POLICY made ON %I FOR INSERT TO hanhtrinh_api
            WITH CHECK ((SELECT scope_can(%L)) AND ((SELECT scope_is_national()) OR %s))',
            one[1], one[2], one[3]);
        EXECUTE format('CREATE POLICY changed ON %I FOR UPDATE TO hanhtrinh_api
            USING ((SELECT scope_can(%L)) AND ((SELECT scope_is_national()) OR %s))',
            one[1], one[2], one[3]);
    END LOOP;
    -- A device goes into a vehicle of the caller's only if it is the caller's, too.
    EXECUTE format('CREATE POLICY made ON device_assignments FOR INSERT TO hanhtrinh_api
        WITH CHECK ((SELECT scope_can(''write'')) AND ((SELECT scope_is_national())
        OR (%s AND device_id = ANY ((SELECT scope_devices())::integer[]))))', of_vehicle);
    EXECUTE format('CREATE POLICY changed ON device_assignments FOR UPDATE TO hanhtrinh_api
        USING ((SELECT scope_can(''write'')) AND ((SELECT scope_is_national()) OR %s))', of_vehicle);
END $$;

GRANT SELECT ON badges, station_calibrations TO hanhtrinh_api;

GRANT INSERT (code, name, province, tax_code, licence_no),
      UPDATE (name, province, tax_code, licence_no, retired_at) ON operators
    TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (first_id, plate, plate_raw, vin, operator_id, class, kind, speed_limit_kmh, gross_kg,
              kerb_kg, cargo_kg, axles, valid_from, valid_to),
      UPDATE (plate_raw, vin, valid_to) ON vehicles
    TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (number, kind, vehicle_id, is_extra, valid_from, valid_to), UPDATE (vehicle_id, valid_to)
    ON badges TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (vehicle_id, route_code, valid_from, valid_to), UPDATE (vehicle_id, valid_to)
    ON vehicle_routes TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (code, name, province, lon, lat, kind, tolerance, calibrated_until, column_map, approach,
              corridor_m, is_two_way, weekly_hours),
      UPDATE (name, province, lon, lat, kind, tolerance, calibrated_until, column_map, approach,
              corridor_m, is_two_way, weekly_hours, retired_at) ON weigh_stations
    TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (station_id, certificate, valid_from, valid_to), UPDATE (valid_to)
    ON station_calibrations TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT INSERT (ident, codec, note, operator_id), UPDATE (codec, note, operator_id, retired_at)
    ON devices TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
GRANT INSERT (device_id, vehicle_id, valid_from, valid_to), UPDATE (vehicle_id, valid_to)
    ON device_assignments TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
-- Who a driver is, is read through visible_drivers alone.
GRANT SELECT (id, operator_id, version, erased_at, retired_at, licence_class, licence_until),
      INSERT (licence, name, operator_id, licence_class, licence_until),
      UPDATE (name, operator_id, licence_class, licence_until, retired_at) ON drivers
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;

-- Columns are only added at the end of a view.
CREATE OR REPLACE VIEW visible_drivers AS
SELECT d.id, d.operator_id, d.erased_at,
       CASE WHEN (SELECT scope_can('personal')) AND ((SELECT scope_is_national())
                 OR d.operator_id = ANY ((SELECT scope_operators())::integer[]))
            THEN d.licence ELSE masked_licence(d.licence) END AS licence,
       CASE WHEN (SELECT scope_can('personal')) AND ((SELECT scope_is_national())
                 OR d.operator_id = ANY ((SELECT scope_operators())::integer[]))
            THEN d.name ELSE masked_name(d.name) END AS name,
       d.licence_class, d.licence_until, d.retired_at, d.version
FROM drivers d
WHERE (SELECT scope_is_national()) OR d.operator_id = ANY ((SELECT scope_operators())::integer[]);

-- Licences are found and claimed by functions: no role of the API reads them in the table.
-- A driver whom only feeds have named is nobody's yet.
CREATE FUNCTION owns_registry() RETURNS boolean LANGUAGE sql STABLE
RETURN pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'drivers'::regclass),
                   'USAGE');

CREATE FUNCTION taken_licences(licences text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT d.licence FROM drivers d
    WHERE (owns_registry() OR scope_can('write')) AND d.licence = ANY (licences)
      AND (d.operator_id IS NOT NULL OR d.name IS NOT NULL);
END;

CREATE FUNCTION claim_drivers(licences text[], operators integer[])
RETURNS TABLE (licence text, id integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    UPDATE drivers d SET operator_id = k.operator_id
    FROM unnest(licences, operators) k (licence, operator_id)
    WHERE d.licence = k.licence AND d.operator_id IS NULL AND d.name IS NULL
      AND (owns_registry() OR (scope_can('write') AND (
           scope_is_national() OR k.operator_id = ANY (scope_operators()))))
    RETURNING d.licence, d.id;
END;
REVOKE EXECUTE ON FUNCTION taken_licences(text[]) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION claim_drivers(text[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taken_licences(text[]) TO hanhtrinh_administrator, hanhtrinh_inspector,
    hanhtrinh_operator;
GRANT EXECUTE ON FUNCTION claim_drivers(text[], integer[]) TO hanhtrinh_administrator,
    hanhtrinh_inspector, hanhtrinh_operator;

-- What a device is in, and whose it is, is not for its provider.
CREATE OR REPLACE VIEW device_health WITH (security_barrier) AS
SELECT d.id, d.ident, d.codec, p.code AS provider, l.time AS last_fix_at,
       l.received AS last_received_at,
       (SELECT coalesce(sum(c.messages), 0)::bigint FROM quarantine_counts c
        WHERE c.sender = d.ident
          AND c.hour >= date_trunc('hour', now() - interval '24 hours', 'UTC')) AS refused_24h,
       CASE WHEN (SELECT scope_can('read')) THEN o.code END AS operator,
       CASE WHEN (SELECT scope_is_national())
                 OR v.operator_id = ANY ((SELECT scope_operators())::integer[])
            THEN v.id END AS vehicle_id,
       d.note, d.retired_at, d.version
FROM devices d
LEFT JOIN providers p ON p.id = d.provider_id
LEFT JOIN operators o ON o.id = d.operator_id
LEFT JOIN device_assignments a ON a.device_id = d.id AND a.valid_from <= now() AND a.valid_to > now()
LEFT JOIN vehicles v ON v.id = a.vehicle_id
LEFT JOIN latest l ON l.vehicle_id = a.vehicle_id
WHERE (SELECT scope_can('devices')) AND ((SELECT scope_is_national())
   OR v.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR d.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR d.provider_id = (SELECT scope_provider()));
