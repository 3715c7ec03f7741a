-- What the registry knows of its things, and what must not contradict itself in it.

-- An instant in microseconds since 1970 UTC; the ends of a bigint are the infinities.
CREATE FUNCTION instant_of(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE us WHEN -9223372036854775808 THEN '-infinity'::timestamptz
               WHEN 9223372036854775807 THEN 'infinity'::timestamptz
               ELSE timestamptz 'epoch' + us * interval '1 microsecond' END;

-- Columns --------------------------------------------------------------------------------------

ALTER TABLE operators
    ADD COLUMN tax_code   text,
    ADD COLUMN licence_no text,              -- of the transport business
    ADD COLUMN retired_at timestamptz;

-- A row is one registration of a vehicle: what was registered of it for a span of time. A change of
-- what fixes are judged by, or of the operator, ends it and begins the next (decision 27).
ALTER TABLE vehicles
    ADD COLUMN first_id  integer,            -- the vehicle's first registration: they share it
    ADD COLUMN plate_raw text,               -- as it was entered: 51B-123.45
    ADD COLUMN vin       text CHECK (vin ~ '^[A-HJ-NPR-Z0-9]{5,17}$');
UPDATE vehicles SET first_id = id, plate_raw = plate;
ALTER TABLE vehicles
    ALTER COLUMN first_id SET NOT NULL,
    ALTER COLUMN plate_raw SET NOT NULL;
CREATE INDEX vehicles_first ON vehicles (first_id);

-- What was registered before this may be wrong, and can still be ended; nothing such comes after.
CREATE FUNCTION name_registration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.first_id := coalesce(NEW.first_id, NEW.id);
    NEW.plate_raw := coalesce(NEW.plate_raw, NEW.plate);
    IF NOT coalesce(NEW.gross_kg > 0 AND NEW.gross_kg < 'infinity', true)
       OR NOT coalesce(NEW.kerb_kg > 0 AND NEW.kerb_kg < 'infinity', true)
       OR NOT coalesce(NEW.cargo_kg >= 0 AND NEW.cargo_kg < 'infinity', true)
       OR NEW.kerb_kg > NEW.gross_kg OR NEW.cargo_kg > NEW.gross_kg
       OR NEW.axles < 1 THEN
        RAISE EXCEPTION 'masses that no vehicle has' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'vehicles_masses', TABLE = 'vehicles',
            DETAIL = format('gross %s kg, kerb %s kg, cargo %s kg, axles %s', NEW.gross_kg,
                            NEW.kerb_kg, NEW.cargo_kg, NEW.axles);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER name_registration BEFORE INSERT ON vehicles
    FOR EACH ROW EXECUTE FUNCTION name_registration();

ALTER TABLE devices
    ADD COLUMN operator_id integer REFERENCES operators,   -- whose it is; NULL: nobody's
    ADD COLUMN retired_at  timestamptz;
CREATE INDEX devices_operator ON devices (operator_id);
UPDATE devices d SET operator_id = (
    SELECT v.operator_id FROM device_assignments a JOIN vehicles v ON v.id = a.vehicle_id
    WHERE a.device_id = d.id ORDER BY a.valid_from DESC LIMIT 1);

-- What was taken back can be made anew, from the same instant: `touch_spans` below keeps the rest apart.
DROP INDEX vehicles_plate;
CREATE INDEX vehicles_plate ON vehicles (plate, valid_from);
ALTER TABLE device_assignments DROP CONSTRAINT device_assignments_pkey,
    ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE INDEX device_assignments_device ON device_assignments (device_id, valid_from);
ALTER TABLE vehicle_routes DROP CONSTRAINT vehicle_routes_pkey,
    ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE INDEX vehicle_routes_vehicle ON vehicle_routes (vehicle_id, route_code, valid_from);

-- What is taken back before it began never held: it ends where it begins.
ALTER TABLE vehicles DROP CONSTRAINT vehicles_check, ADD CHECK (valid_from <= valid_to);
ALTER TABLE device_assignments DROP CONSTRAINT device_assignments_check,
    ADD CHECK (valid_from <= valid_to);
ALTER TABLE vehicle_routes DROP CONSTRAINT vehicle_routes_check, ADD CHECK (valid_from <= valid_to);

ALTER TABLE drivers
    ADD COLUMN licence_class text,
    ADD COLUMN licence_until date,           -- its last day; NULL: not known, or without an end
    ADD COLUMN retired_at    timestamptz;

-- The sign behind the windscreen that says for what business a vehicle is licensed.
CREATE TABLE badges (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('fixed_route', 'feeder', 'bus', 'taxi', 'contract',
                                             'tourist', 'container', 'tractor', 'truck')),
    vehicle_id integer NOT NULL REFERENCES vehicles,
    is_extra   boolean NOT NULL DEFAULT false,   -- for some days of holidays, beside the usual one
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz NOT NULL,
    CHECK (valid_from <= valid_to)
);
CREATE INDEX badges_vehicle ON badges (vehicle_id, valid_from);
CREATE INDEX badges_number ON badges (number, valid_from);

ALTER TABLE weigh_stations
    ADD COLUMN province   text,
    ADD COLUMN retired_at timestamptz;

-- When a station's masses could be relied on. A station without any is judged by calibrated_until.
CREATE TABLE station_calibrations (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station_id  integer NOT NULL REFERENCES weigh_stations,
    certificate text NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL,
    CHECK (valid_from <= valid_to)
);
CREATE INDEX station_calibrations_station ON station_calibrations (station_id, valid_from);

-- When the calibration ends, or ended, that a station had or had had at an instant.
CREATE FUNCTION calibrated_until(station weigh_stations, at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN CASE WHEN EXISTS (SELECT FROM station_calibrations c WHERE c.station_id = (station).id)
    THEN (SELECT max(c.valid_to) FROM station_calibrations c
          WHERE c.station_id = (station).id AND c.valid_from <= at)
    ELSE (station).calibrated_until END;

-- Versions -------------------------------------------------------------------------------------
-- Every change of a row counts, whoever makes it: a caller that read an older one is told so.

CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;

DO $$
DECLARE
    counted text;
BEGIN
    FOREACH counted IN ARRAY ARRAY['operators', 'vehicles', 'devices', 'device_assignments',
        'drivers', 'badges', 'vehicle_routes', 'weigh_stations', 'station_calibrations']
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN version integer NOT NULL DEFAULT 1', counted);
        EXECUTE format('CREATE TRIGGER count_version BEFORE UPDATE ON %I FOR EACH ROW
                        WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION count_version()', counted);
    END LOOP;
    FOREACH counted IN ARRAY ARRAY['badges', 'station_calibrations'] LOOP
        EXECUTE format('CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION touch_registry()', counted);
    END LOOP;
END $$;

-- One at a time --------------------------------------------------------------------------------
-- What a key means must be one thing at any instant. An exclusion constraint needs btree_gist, which
-- not every server has, and took 30 times as long for 50,000 plates. `touch` has locked the row of
-- registry_version by now (triggers fire in the order of their names), so of two transactions that
-- write at once the second sees here what the first has committed. Overlaps from before this
-- migration stay as they are until they are widened.
-- Arguments: the columns of the key.
CREATE FUNCTION touch_spans() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    same text;
    kept text;
    found record;
BEGIN
    SELECT string_agg(format('t.%1$I = n.%1$I', key), ' AND ') INTO same FROM unnest(TG_ARGV) key;
    SELECT string_agg(format('o.%1$I = n.%1$I', key), ' AND ') INTO kept FROM unnest(TG_ARGV) key;
    EXECUTE format(
        'SELECT to_jsonb(n) -> %L AS key, n.valid_from, n.valid_to FROM made n'
        || CASE TG_OP WHEN 'UPDATE' THEN
               ' JOIN was o ON o.id = n.id AND NOT (%s AND n.valid_from >= o.valid_from
                                                    AND n.valid_to <= o.valid_to)' ELSE '%s' END
        || ' WHERE EXISTS (SELECT FROM %s t WHERE %s AND t.id <> n.id
                           AND t.valid_from < t.valid_to
                           AND t.valid_from < n.valid_to AND t.valid_to > n.valid_from) LIMIT 1',
        TG_ARGV[0], CASE TG_OP WHEN 'UPDATE' THEN kept ELSE '' END, TG_RELID::regclass, same)
    INTO found;
    IF found.key IS NOT NULL THEN
        RAISE EXCEPTION 'two of % would hold at once', TG_TABLE_NAME
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME,
                  DETAIL = format('%s %s from %s to %s', TG_ARGV[0], found.key #>> '{}',
                                  found.valid_from, found.valid_to);
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    one text[];
BEGIN
    FOREACH one SLICE 1 IN ARRAY ARRAY[
        ['vehicles', 'touched_plate', 'plate', 'plate'],
        ['device_assignments', 'touched_device', 'device_id', 'device_id'],
        ['badges', 'touched_vehicle', 'vehicle_id', 'is_extra'],
        ['badges', 'touched_number', 'number', 'number'],
        ['vehicle_routes', 'touched_route', 'vehicle_id', 'route_code'],
        ['station_calibrations', 'touched_station', 'station_id', 'station_id']]
    LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS made
                        FOR EACH STATEMENT EXECUTE FUNCTION touch_spans(%L, %L)',
                       one[2], one[1], one[3], one[4]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I
                        REFERENCING NEW TABLE AS made OLD TABLE AS was
                        FOR EACH STATEMENT EXECUTE FUNCTION touch_spans(%L, %L)',
                       one[2] || '_again', one[1], one[3], one[4]);
    END LOOP;
END $$;

-- Doors shut for devices and stations that are retired.
CREATE OR REPLACE VIEW admitted AS
WITH shut AS (
    SELECT l.ident FROM device_logins l
    WHERE NOT EXISTS (SELECT FROM device_secrets s WHERE s.login_id = l.id
                      AND s.revoked_at IS NULL AND s.valid_until > now())
)
SELECT d.ident, 'device'::text AS kind FROM devices d
WHERE d.retired_at IS NULL AND NOT EXISTS (SELECT FROM shut WHERE shut.ident = d.ident)
UNION ALL
SELECT w.code, 'station' FROM weigh_stations w
WHERE w.retired_at IS NULL AND NOT EXISTS (SELECT FROM shut WHERE shut.ident = w.code)
UNION ALL
SELECT l.ident, 'provider' FROM device_logins l
WHERE l.kind = 'provider' AND NOT EXISTS (SELECT FROM shut WHERE shut.ident = l.ident);
CREATE TRIGGER tell_of_changed AFTER UPDATE ON devices REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('ident');
CREATE TRIGGER tell_of_changed AFTER UPDATE ON weigh_stations REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('code');

-- The registration that a plate means, for a span of time; what begins or ends at no instant does so
-- with the registration. ends_at: when the registration itself does.
CREATE FUNCTION registration_at(wanted text, since timestamptz, until timestamptz)
RETURNS TABLE (vehicle_id integer, valid_from timestamptz, valid_to timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.id, CASE WHEN isfinite(since) THEN since ELSE v.valid_from END,
           CASE WHEN isfinite(until) THEN until ELSE v.valid_to END, v.valid_to
    FROM vehicles v
    WHERE v.plate = wanted
      AND v.valid_from <= CASE WHEN isfinite(since) THEN since ELSE least(now(), until) END
      AND v.valid_to > CASE WHEN isfinite(since) THEN since ELSE least(now(), until) END;
END;
