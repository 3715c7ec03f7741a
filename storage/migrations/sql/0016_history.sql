-- The registry's history: what every row was before and after each change, who made it, and why.

CREATE TABLE registry_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,               -- as in the audit
    reason      text NOT NULL,               -- '' where none was given
    kind        text NOT NULL,               -- vehicle, device, ...
    subject     integer NOT NULL,            -- its number; of vehicles that of the first registration
    operator_id integer,                     -- whose it is after the change; NULL: nobody's
    before      jsonb,                       -- NULL: it was made
    after       jsonb                        -- NULL: the owner of the database deleted it
);
CREATE INDEX registry_history_subject ON registry_history (kind, subject, id);

-- Who is writing: a caller of the API cannot say otherwise, a command says it in a variable.
CREATE FUNCTION registry_actor() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
RETURN coalesce(
    (SELECT CASE h.kind WHEN 'session' THEN 'person ' || h.name
                        ELSE 'key ' || h.id || ' ' || h.name END FROM holder_of(scope_digest()) h),
    nullif(current_setting('hanhtrinh.actor', true), ''), 'owner of the database');

-- Arguments: the kind; as SQL of a row r its subject, its operator, and which rows count.
CREATE FUNCTION write_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rows text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT NULL::jsonb AS before, to_jsonb(n) AS after, n.* FROM made n'
        WHEN 'DELETE' THEN 'SELECT to_jsonb(o) AS before, NULL::jsonb AS after, o.* FROM was o'
        ELSE 'SELECT to_jsonb(o) AS before, to_jsonb(n) AS after, n.* FROM made n
              JOIN was o ON o.id = n.id WHERE o.version <> n.version' END;
BEGIN
    EXECUTE format(
        'INSERT INTO registry_history (actor, reason, kind, subject, operator_id, before, after)
         SELECT $1, $2, %L, %s, %s, r.before, r.after FROM (%s) r WHERE %s ORDER BY r.id',
        TG_ARGV[0], TG_ARGV[1], TG_ARGV[2], rows, TG_ARGV[3])
    USING registry_actor(), coalesce(current_setting('hanhtrinh.reason', true), '');
    RETURN NULL;
END $$;

DO $$
DECLARE
    one text[];
    of_vehicle text := '(SELECT v.operator_id FROM vehicles v WHERE v.id = r.vehicle_id)';
BEGIN
    FOREACH one SLICE 1 IN ARRAY ARRAY[
        ['operators', 'operator', 'r.id', 'r.id', 'true'],
        ['vehicles', 'vehicle', 'r.first_id', 'r.operator_id', 'true'],
        ['devices', 'device', 'r.id', 'r.operator_id', 'true'],
        ['device_assignments', 'assignment', 'r.id', of_vehicle, 'true'],
        -- A licence that a feed names is nothing that somebody registered.
        ['drivers', 'driver', 'r.id', 'r.operator_id', 'r.version > 1 OR r.operator_id IS NOT NULL
                                                        OR r.name IS NOT NULL'],
        ['badges', 'badge', 'r.id', of_vehicle, 'true'],
        ['vehicle_routes', 'vehicle_route', 'r.id', of_vehicle, 'true'],
        ['weigh_stations', 'station', 'r.id', 'NULL::integer', 'true'],
        ['station_calibrations', 'calibration', 'r.id', 'NULL::integer', 'true']]
    LOOP
        EXECUTE format('CREATE TRIGGER write_history_made AFTER INSERT ON %I
                        REFERENCING NEW TABLE AS made FOR EACH STATEMENT
                        EXECUTE FUNCTION write_history(%L, %L, %L, %L)',
                       one[1], one[2], one[3], one[4], one[5]);
        EXECUTE format('CREATE TRIGGER write_history_changed AFTER UPDATE ON %I
                        REFERENCING NEW TABLE AS made OLD TABLE AS was FOR EACH STATEMENT
                        EXECUTE FUNCTION write_history(%L, %L, %L, %L)',
                       one[1], one[2], one[3], one[4], one[5]);
        EXECUTE format('CREATE TRIGGER write_history_gone AFTER DELETE ON %I
                        REFERENCING OLD TABLE AS was FOR EACH STATEMENT
                        EXECUTE FUNCTION write_history(%L, %L, %L, %L)',
                       one[1], one[2], one[3], one[4], one[5]);
    END LOOP;
END $$;

-- What tells who a driver is, taken out of a row of the registry.
CREATE FUNCTION without_person(fields jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN fields || '{"licence": null, "name": null}'::jsonb;

-- History is only added to, but for the personal data of a driver who is erased.
CREATE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.kind = 'driver' AND NEW IS NOT DISTINCT FROM ROW(
            OLD.id, OLD.at, OLD.actor, OLD.reason, OLD.kind, OLD.subject, OLD.operator_id,
            without_person(OLD.before), without_person(OLD.after))::registry_history THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the history of the registry is only ever added to'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry_history
    FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON registry_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change();

-- Erasing takes the person out of the history, too.
CREATE FUNCTION forget_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE registry_history h SET before = without_person(h.before), after = without_person(h.after)
    WHERE h.kind = 'driver' AND h.subject IN
        (SELECT n.id FROM made n WHERE n.erased_at IS NOT NULL);
    RETURN NULL;
END $$;
-- After write_history_changed, whose row it empties, too.
CREATE TRIGGER z_forget_history AFTER UPDATE ON drivers REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION forget_history();

-- What a caller may see of it: what it may see of the thing, and drivers as it may see drivers.
CREATE VIEW visible_history WITH (security_barrier) AS
SELECT h.id, h.at, h.actor, h.reason, h.kind, h.subject, h.operator_id,
       CASE WHEN h.kind = 'driver' AND NOT (SELECT scope_can('personal'))
            THEN without_person(h.before) ELSE h.before END AS before,
       CASE WHEN h.kind = 'driver' AND NOT (SELECT scope_can('personal'))
            THEN without_person(h.after) ELSE h.after END AS after
FROM registry_history h
WHERE (SELECT scope_is_national()) OR h.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR (h.kind IN ('station', 'calibration') AND (SELECT scope_is_set()));
GRANT SELECT ON visible_history TO hanhtrinh_api;
