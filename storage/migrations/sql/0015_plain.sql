-- Plain PostgreSQL only: what a continuous aggregate does, by hand.

CREATE TABLE fix_hours_stored (
    vehicle_id    integer NOT NULL,
    hour          timestamptz NOT NULL,
    fixes         bigint NOT NULL,
    clean_fixes   bigint NOT NULL,
    max_speed_kmh real,
    track         float8[],
    PRIMARY KEY (vehicle_id, hour)
);
CREATE INDEX fix_hours_stored_hour ON fix_hours_stored USING brin (hour);

-- Hours whose fixes changed after they may have been rolled up. No key: of two writers that meet in
-- an hour, neither waits.
CREATE TABLE fix_hours_changed (
    vehicle_id integer NOT NULL,
    hour       timestamptz NOT NULL
);

-- One row. Hours before this instant are stored; the others are worked out as they are read.
CREATE TABLE fix_hours_until (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    until  timestamptz NOT NULL
);
-- Partitions that are there already are rolled up like new ones: from the oldest.
INSERT INTO fix_hours_until (until)
SELECT coalesce(
    min(substring(pg_get_expr(c.relpartbound, c.oid) FROM $$FROM \('([^']+)'\)$$)::timestamptz),
    date_bin(interval '1 hour', now(), timestamptz 'epoch'))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'fixes'::regclass;

CREATE VIEW fix_hours AS
SELECT s.vehicle_id, s.hour, s.fixes, s.clean_fixes, s.max_speed_kmh, s.track
FROM fix_hours_stored s
WHERE s.hour < (SELECT u.until FROM fix_hours_until u)
UNION ALL
SELECT f.vehicle_id, date_bin(interval '1 hour', f.time, timestamptz 'epoch'), <hour columns>
FROM fixes f
WHERE f.time >= (SELECT u.until FROM fix_hours_until u)
GROUP BY 1, 2;

-- The hours of [since, until) as the fixes say now.
CREATE FUNCTION hours_of_fixes(since timestamptz, until timestamptz)
RETURNS TABLE (vehicle_id integer, hour timestamptz, fixes bigint, clean_fixes bigint,
               max_speed_kmh real, track float8[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT f.vehicle_id, date_bin(interval '1 hour', f.time, timestamptz 'epoch'), <hour columns>
    FROM fixes f
    WHERE f.time >= since AND f.time < until
    GROUP BY 1, 2;
END;

-- Store the hours up to an instant, at most those of `span` more than there are, and again the hours
-- from `kept` on that changed since. Returns the instant that was reached.
CREATE FUNCTION roll_up_fix_hours(kept timestamptz, up_to timestamptz, span interval)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    reached timestamptz;
BEGIN
    SELECT u.until INTO begun FROM fix_hours_until u FOR UPDATE;
    reached := greatest(begun, least(up_to, begun + span));
    WITH taken AS (DELETE FROM fix_hours_changed c WHERE c.hour < reached RETURNING c.*)
    INSERT INTO fix_hours_stored
    SELECT h.*
    FROM (SELECT DISTINCT t.vehicle_id, t.hour FROM taken t WHERE t.hour >= kept AND t.hour < begun) t
    -- The condition stands within, where it reaches the index: as one of the join it would not.
    CROSS JOIN LATERAL (
        SELECT f.* FROM hours_of_fixes(t.hour, t.hour + interval '1 hour') f
        WHERE f.vehicle_id = t.vehicle_id
    ) h
    ON CONFLICT (vehicle_id, hour) DO UPDATE SET
        (fixes, clean_fixes, max_speed_kmh, track) =
        (excluded.fixes, excluded.clean_fixes, excluded.max_speed_kmh, excluded.track);
    INSERT INTO fix_hours_stored
    SELECT h.* FROM hours_of_fixes(begun, reached) h
    ON CONFLICT (vehicle_id, hour) DO UPDATE SET
        (fixes, clean_fixes, max_speed_kmh, track) =
        (excluded.fixes, excluded.clean_fixes, excluded.max_speed_kmh, excluded.track);
    UPDATE fix_hours_until u SET until = reached;
    RETURN reached;
END $$;

-- Drop the partitions whose fixes are all older than an instant. Returns how many.
CREATE FUNCTION drop_fix_days(before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    part regclass;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'fixes'::regclass
          AND substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \('([^']+)'\)$re$)::timestamptz
              <= before
    LOOP
        EXECUTE format('DROP TABLE %s', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
