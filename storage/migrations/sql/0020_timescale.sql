-- TimescaleDB only: what the continuous aggregate noted of changes by span of time, the writer notes
-- by vehicle and hour, for the days: as on plain PostgreSQL.
CREATE TABLE fix_hours_changed (
    vehicle_id integer NOT NULL,
    hour       timestamptz NOT NULL
);

-- Hand on what is noted, before the aggregate is refreshed: what is noted later may not be in it.
CREATE FUNCTION take_changed_hours() RETURNS void LANGUAGE sql
BEGIN ATOMIC
    WITH taken AS (DELETE FROM fix_hours_changed c RETURNING c.vehicle_id, c.hour)
    INSERT INTO fix_days_changed SELECT DISTINCT t.vehicle_id, t.hour FROM taken t;
END;
