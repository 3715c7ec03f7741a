-- Local days of vehicles, summed of their hours by upkeep, in the same way on either flavour.

-- The track is that of the day's hours put together: what its steps come to, then its first and its
-- last clean fix, by which the step from day to day is found. NULL where no fix is clean.
CREATE TABLE fix_days (
    vehicle_id    integer NOT NULL,
    day           date NOT NULL,
    fixes         bigint NOT NULL,
    clean_fixes   bigint NOT NULL,
    max_speed_kmh real,
    track         float8[],
    PRIMARY KEY (vehicle_id, day)
);
CREATE INDEX fix_days_day ON fix_days USING brin (day);

-- Hours that were stored again after their day may have been summed. No key, as in fix_hours_changed.
CREATE TABLE fix_days_changed (
    vehicle_id integer NOT NULL,
    hour       timestamptz NOT NULL
);

-- One row. Days of `zone` before `until` are stored; the others are summed as they are read. Hours
-- before `hours_from` have been deleted: what their days came to stands.
CREATE TABLE fix_days_until (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    zone       text NOT NULL,
    until      date NOT NULL,
    hours_from timestamptz NOT NULL
);
-- No timezone is called so: upkeep begins anew in the one that it is given.
INSERT INTO fix_days_until (zone, until, hours_from) VALUES ('', '-infinity', '-infinity');

CREATE FUNCTION day_begins(day date, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN day::timestamp AT TIME ZONE zone;

-- The local day that an instant lies in. An hour is all in the day in which it begins.
CREATE FUNCTION day_of(instant timestamptz, zone text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (instant AT TIME ZONE zone)::date;

-- OFFSET 0: each length is worked out once, and not wherever it is named.

-- A local day of every vehicle that sent anything in it, as the hours say now.
CREATE FUNCTION day_of_all(zone text, wanted date)
RETURNS TABLE (vehicle_id integer, fixes bigint, clean_fixes bigint, max_speed_kmh real,
               track float8[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT j.vehicle_id, <day columns>
    FROM (
        SELECT l.*, l.track[4] - l.earlier[8] AS gap_s,
               great_circle_m(l.earlier[9], l.earlier[10], l.track[5], l.track[6]) AS length_m
        FROM (
            SELECT h.*, lag(h.track)
                OVER (PARTITION BY h.vehicle_id, h.track IS NULL ORDER BY h.hour) AS earlier
            FROM fix_hours h
            WHERE h.hour >= day_begins(wanted, zone) AND h.hour < day_begins(wanted + 1, zone)
        ) l
        OFFSET 0
    ) j
    GROUP BY 1;
END;

-- The local days [first, until) of one vehicle, those in which it sent anything.
CREATE FUNCTION days_of_vehicle(vehicle integer, zone text, first date, until date)
RETURNS TABLE (day date, fixes bigint, clean_fixes bigint, max_speed_kmh real, track float8[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT j.day, <day columns>
    FROM (
        SELECT l.*, l.track[4] - l.earlier[8] AS gap_s,
               great_circle_m(l.earlier[9], l.earlier[10], l.track[5], l.track[6]) AS length_m
        FROM (
            SELECT d.*, lag(d.track)
                OVER (PARTITION BY d.day, d.track IS NULL ORDER BY d.hour) AS earlier
            FROM (
                SELECT h.*, day_of(h.hour, zone) AS day
                FROM fix_hours h
                WHERE h.vehicle_id = vehicle
                  AND h.hour >= day_begins(first, zone) AND h.hour < day_begins(until, zone)
            ) d
        ) l
        OFFSET 0
    ) j
    GROUP BY 1;
END;

-- Keep the days of a timezone from the oldest hour on; nothing where they are kept already. Days of
-- another timezone whose hours are gone stay as they were summed.
CREATE FUNCTION begin_fix_days(named text, up_to timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begun date;
BEGIN
    PERFORM FROM fix_days_until u WHERE u.zone = named;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT day_of(coalesce(min(h.hour), up_to), named) INTO begun FROM fix_hours h;
    SELECT begun + (day_begins(begun, named) < u.hours_from)::integer INTO begun
    FROM fix_days_until u;
    DELETE FROM fix_days d WHERE d.day >= begun;
    DELETE FROM fix_days_changed;
    UPDATE fix_days_until u SET zone = named, until = begun;
END $$;

-- Store the next day that is over before an instant. Returns whether more are.
CREATE FUNCTION roll_up_fix_day(up_to timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    named text;
    begun date;
    reached date;
BEGIN
    SELECT u.zone, u.until INTO named, begun FROM fix_days_until u FOR UPDATE;
    IF begun >= day_of(up_to, named) THEN
        RETURN false;
    END IF;
    -- In order of vehicle: those of an operator lie together.
    INSERT INTO fix_days
    SELECT d.vehicle_id, begun, d.fixes, d.clean_fixes, d.max_speed_kmh, d.track
    FROM day_of_all(named, begun) d
    ORDER BY d.vehicle_id;
    reached := begun + 1;
    IF NOT FOUND THEN
        -- Clocks gone wrong leave years empty.
        SELECT day_of(least(min(h.hour), up_to), named) INTO reached
        FROM fix_hours h WHERE h.hour >= day_begins(begun + 1, named);
    END IF;
    UPDATE fix_days_until u SET until = reached;
    RETURN reached < day_of(up_to, named);
END $$;

-- Store again the days of at most so many vehicles' hours that changed since. Returns how many hours
-- were looked at: fewer than `most` when none is left.
CREATE FUNCTION roll_up_changed_days(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    kept fix_days_until;
    done integer;
BEGIN
    SELECT u.* INTO kept FROM fix_days_until u FOR UPDATE;
    WITH hours AS MATERIALIZED (
        SELECT DISTINCT c.vehicle_id, c.hour FROM fix_days_changed c LIMIT most
    ), taken AS (
        DELETE FROM fix_days_changed c USING hours s
        WHERE c.vehicle_id = s.vehicle_id AND c.hour = s.hour
    ), days AS (
        SELECT DISTINCT s.vehicle_id, day_of(s.hour, kept.zone) AS day FROM hours s
    ), stored AS (
        INSERT INTO fix_days
        SELECT s.vehicle_id, d.*
        FROM days s CROSS JOIN LATERAL days_of_vehicle(s.vehicle_id, kept.zone, s.day, s.day + 1) d
        WHERE s.day < kept.until AND day_begins(s.day, kept.zone) >= kept.hours_from
        ON CONFLICT (vehicle_id, day) DO UPDATE SET
            (fixes, clean_fixes, max_speed_kmh, track) =
            (excluded.fixes, excluded.clean_fixes, excluded.max_speed_kmh, excluded.track)
    )
    SELECT count(*) INTO done FROM hours;
    RETURN done;
END $$;
