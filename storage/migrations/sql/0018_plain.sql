-- Plain PostgreSQL only: hours that changed are rolled up again by the index of their vehicle, so many
-- at a time.

-- An hour of one vehicle, beginning at that instant, as the fixes say now; no row where it has none.
CREATE FUNCTION hour_of_vehicle(vehicle integer, beginning timestamptz)
RETURNS TABLE (fixes bigint, clean_fixes bigint, max_speed_kmh real, track float8[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT <0015 hour columns>
    FROM fixes f
    WHERE f.vehicle_id = vehicle AND f.time >= beginning AND f.time < beginning + interval '1 hour'
    HAVING count(*) > 0;
END;

-- Store again at most so many vehicles' hours that changed since they were stored; those before
-- `kept` stay as they are. Returns how many were looked at: fewer than `most` when none is left.
CREATE FUNCTION roll_up_changed_hours(kept timestamptz, most integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    done integer;
BEGIN
    SELECT u.until INTO begun FROM fix_hours_until u FOR UPDATE;
    -- One statement: what it deletes and what it reads of the fixes are of one instant.
    WITH hours AS MATERIALIZED (
        SELECT DISTINCT c.vehicle_id, c.hour FROM fix_hours_changed c WHERE c.hour < begun LIMIT most
    ), taken AS (
        DELETE FROM fix_hours_changed c USING hours s
        WHERE c.vehicle_id = s.vehicle_id AND c.hour = s.hour
    ), stored AS (
        INSERT INTO fix_hours_stored
        SELECT s.vehicle_id, s.hour, h.*
        FROM hours s CROSS JOIN LATERAL hour_of_vehicle(s.vehicle_id, s.hour) h
        WHERE s.hour >= kept
        ON CONFLICT (vehicle_id, hour) DO UPDATE SET
            (fixes, clean_fixes, max_speed_kmh, track) =
            (excluded.fixes, excluded.clean_fixes, excluded.max_speed_kmh, excluded.track)
    )
    SELECT count(*) INTO done FROM hours;
    RETURN done;
END $$;

-- Store the hours up to an instant, at most those of `span` more than there are. Returns the instant
-- that was reached.
CREATE OR REPLACE FUNCTION roll_up_fix_hours(kept timestamptz, up_to timestamptz, span interval)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    reached timestamptz;
BEGIN
    SELECT u.until INTO begun FROM fix_hours_until u FOR UPDATE;
    reached := greatest(begun, least(up_to, begun + span));
    -- Before they are read: what is noted from here on is rolled up again.
    DELETE FROM fix_hours_changed c WHERE c.hour >= begun AND c.hour < reached;
    INSERT INTO fix_hours_stored
    SELECT h.* FROM hours_of_fixes(begun, reached) h
    ON CONFLICT (vehicle_id, hour) DO UPDATE SET
        (fixes, clean_fixes, max_speed_kmh, track) =
        (excluded.fixes, excluded.clean_fixes, excluded.max_speed_kmh, excluded.track);
    UPDATE fix_hours_until u SET until = reached;
    RETURN reached;
END $$;
