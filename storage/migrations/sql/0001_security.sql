-- Who sees what. The API works as the role hanhtrinh_api, which owns nothing; each request says in
-- its transaction whose eyes it has:
--     SET LOCAL ROLE hanhtrinh_api;
--     SELECT set_config('hanhtrinh.role', 'operator', true),      -- or 'inspector'
--            set_config('hanhtrinh.operator_id', '7', true);
-- Unset, empty or unknown values see nothing. The owner (the worker, the command line) sees all.

-- The role belongs to the cluster: another database of it may have made it, or be making it now.
DO $$
BEGIN
    IF to_regrole('hanhtrinh_api') IS NULL THEN
        CREATE ROLE hanhtrinh_api NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;

-- Whoever migrates can act as it; a superuser can anyway.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'hanhtrinh_api', 'SET') THEN
        GRANT hanhtrinh_api TO CURRENT_USER;
    END IF;
END $$;

-- Scope ----------------------------------------------------------------------------------------

CREATE FUNCTION scope_is_inspector() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('hanhtrinh.role', true) = 'inspector', false);

-- The operator whose rows may be seen; NULL, which equals nothing, for anybody else.
CREATE FUNCTION scope_operator() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN current_setting('hanhtrinh.role', true) = 'operator'
            THEN nullif(current_setting('hanhtrinh.operator_id', true), '')::integer END;

CREATE FUNCTION scope_is_set() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN scope_is_inspector() OR scope_operator() IS NOT NULL;

-- Policies -------------------------------------------------------------------------------------
-- (SELECT f()) is worked out once for a statement, not once for a row. Tables that name a vehicle
-- ask for the operator's vehicles through vehicles_operator; vehicles' own policy holds there too.

ALTER TABLE operators ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON operators TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR id = (SELECT scope_operator()));

ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON vehicles TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));

ALTER TABLE drivers ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON drivers TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));

ALTER TABLE device_assignments ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON device_assignments TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE devices ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON devices TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR id IN (SELECT device_id FROM device_assignments));

ALTER TABLE vehicle_routes ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON vehicle_routes TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE latest ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON latest TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE weighings ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON weighings TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE zone_visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON zone_visits TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE violations ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON violations TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

ALTER TABLE violation_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON violation_versions TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR
           EXISTS (SELECT FROM violations v WHERE v.id = violation_id));

-- Zones and routes: everybody's (no operator) are seen by all and changed by inspectors; an
-- operator's own are changed by it too.
ALTER TABLE zones ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON zones FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator())
           OR (operator_id IS NULL AND (SELECT scope_is_set())));
CREATE POLICY made ON zones FOR INSERT TO hanhtrinh_api
    WITH CHECK ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));
CREATE POLICY changed ON zones FOR UPDATE TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));

ALTER TABLE routes ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON routes FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator())
           OR (operator_id IS NULL AND (SELECT scope_is_set())));
CREATE POLICY made ON routes FOR INSERT TO hanhtrinh_api
    WITH CHECK ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));
CREATE POLICY changed ON routes FOR UPDATE TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR operator_id = (SELECT scope_operator()));

ALTER TABLE route_stops ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON route_stops FOR SELECT TO hanhtrinh_api
    USING (route_id IN (SELECT id FROM routes));
CREATE POLICY made ON route_stops FOR INSERT TO hanhtrinh_api
    WITH CHECK (route_id IN (SELECT r.id FROM routes r WHERE (SELECT scope_is_inspector())
                             OR r.operator_id = (SELECT scope_operator())));

ALTER TABLE weigh_stations ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON weigh_stations TO hanhtrinh_api USING ((SELECT scope_is_set()));

-- What could not be used belongs to nobody that is known: inspectors see how much of it there is, and
-- the payloads stay with the command line.
ALTER TABLE quarantine ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON quarantine FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()));

-- Fixes carry no policy (a compressed hypertable cannot): the role reaches them only through this
-- view, and through it only those of vehicles that it may see. The view's owner reads the tables, so
-- the condition is written out here.
CREATE VIEW visible_fixes WITH (security_barrier) AS
SELECT f.*, x.extra
FROM fixes f
LEFT JOIN fix_extras x ON x.vehicle_id = f.vehicle_id AND x.time = f.time
WHERE (SELECT scope_is_inspector())
   OR f.vehicle_id IN (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator()));

-- Tokens ---------------------------------------------------------------------------------------
-- The only way by which the role learns of a token is to know it.
CREATE FUNCTION authenticate_token(token_digest bytea)
RETURNS TABLE (id integer, name text, role text, operator_id integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT t.id, t.name, t.role, t.operator_id
    FROM api_tokens t
    WHERE t.digest = token_digest AND t.revoked_at IS NULL AND t.expires_at > now();
END;
REVOKE EXECUTE ON FUNCTION authenticate_token(bytea) FROM PUBLIC;

-- Grants ---------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA public TO hanhtrinh_api;
GRANT SELECT ON operators, vehicles, drivers, devices, device_assignments, vehicle_routes, zones,
    routes, route_stops, weigh_stations, registry_version, alembic_version, visible_fixes, latest,
    weighings, zone_visits, violations, violation_versions TO hanhtrinh_api;
GRANT SELECT (received, reason, seen, last_seen, released_at) ON quarantine TO hanhtrinh_api;
-- A version can be ended, and no more: what it says stays as it was written.
GRANT INSERT, UPDATE (valid_to) ON zones, routes TO hanhtrinh_api;
GRANT INSERT ON route_stops TO hanhtrinh_api;
GRANT EXECUTE ON FUNCTION authenticate_token(bytea) TO hanhtrinh_api;

-- Registry triggers ----------------------------------------------------------------------------
-- Once a statement, whatever its number of rows, and also when the role changes a zone, which may
-- not write registry_version itself. Drivers are left out: no rule looks at them, and feeds bring
-- new ones all day.
ALTER FUNCTION touch_registry() SECURITY DEFINER SET search_path = public, pg_temp;

DO $$
DECLARE
    changed text;
BEGIN
    FOREACH changed IN ARRAY ARRAY['vehicles', 'devices', 'device_assignments', 'zones',
        'routes', 'route_stops', 'vehicle_routes', 'weigh_stations']
    LOOP
        EXECUTE format('CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION touch_registry()', changed);
    END LOOP;
END $$;
