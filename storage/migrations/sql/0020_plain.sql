-- Plain PostgreSQL only: as before, and an hour that is stored again is noted for its day.
CREATE OR REPLACE FUNCTION roll_up_changed_hours(kept timestamptz, most integer)
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
    ), noted AS (
        INSERT INTO fix_days_changed SELECT s.vehicle_id, s.hour FROM hours s WHERE s.hour >= kept
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
