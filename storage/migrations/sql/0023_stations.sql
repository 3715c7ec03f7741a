-- The road that leads by a station and its hours hold in time, too: who is said to have avoided it is
-- judged by those of the instant at which the road was left.

ALTER TABLE station_facts
    ADD COLUMN approach     jsonb,
    ADD COLUMN corridor_m   double precision,
    ADD COLUMN is_two_way   boolean NOT NULL DEFAULT false,
    ADD COLUMN weekly_hours jsonb,
    ADD CHECK ((approach IS NULL) = (corridor_m IS NULL));

-- Nobody avoids a station that is closed for good: it has no approach from then on.
CREATE FUNCTION facts_of_station(station weigh_stations) RETURNS station_facts
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
    station.id, '-infinity'::timestamptz, 'infinity'::timestamptz, station.tolerance, station.kind,
    station.lon, station.lat,
    CASE WHEN station.retired_at IS NULL THEN station.approach END,
    CASE WHEN station.retired_at IS NULL THEN station.corridor_m END,
    station.is_two_way, station.weekly_hours)::station_facts;

-- What was changed since the history is kept. Where a span began with a change, it still does.
DO $$
DECLARE
    told station_facts[];
BEGIN
    WITH changed AS (
        SELECT h.subject AS station_id, h.id, h.at,
               facts_of_station(jsonb_populate_record(NULL::weigh_stations, h.before)) AS was,
               facts_of_station(jsonb_populate_record(NULL::weigh_stations, h.after)) AS made
        FROM registry_history h
        WHERE h.kind = 'station' AND h.before IS NOT NULL AND h.after IS NOT NULL
    ), counted AS (
        SELECT c.*, row_number() OVER (PARTITION BY c.station_id ORDER BY c.id) AS nth,
               ((c.was).tolerance, (c.was).kind, (c.was).lon, (c.was).lat) IS DISTINCT FROM
               ((c.made).tolerance, (c.made).kind, (c.made).lon, (c.made).lat) AS is_kept
        FROM changed c WHERE c.was IS DISTINCT FROM c.made
    ), states AS (
        SELECT w.id AS station_id, 0 AS nth, '-infinity'::timestamptz AS since,
               coalesce(c.was, facts_of_station(w)) AS facts
        FROM weigh_stations w LEFT JOIN counted c ON c.station_id = w.id AND c.nth = 1
        UNION ALL
        SELECT c.station_id, c.nth, coalesce(f.since, c.at), c.made
        FROM counted c LEFT JOIN LATERAL (
            SELECT max(f.valid_from) AS since FROM station_facts f
            WHERE f.station_id = c.station_id AND f.valid_from <= c.at AND isfinite(f.valid_from)
        ) f ON c.is_kept
    ), spans AS (
        SELECT DISTINCT ON (s.station_id, s.since) s.station_id, s.since, s.facts
        FROM states s ORDER BY s.station_id, s.since, s.nth DESC
    )
    SELECT array_agg(ROW(k.*)::station_facts) INTO told
    FROM (
        SELECT s.station_id, s.since,
               lead(s.since, 1, 'infinity') OVER (PARTITION BY s.station_id ORDER BY s.since),
               (s.facts).tolerance, (s.facts).kind, (s.facts).lon, (s.facts).lat,
               (s.facts).approach, (s.facts).corridor_m, (s.facts).is_two_way,
               (s.facts).weekly_hours
        FROM spans s
    ) k;
    DELETE FROM station_facts;
    INSERT INTO station_facts SELECT t.* FROM unnest(told) t;
END $$;

CREATE OR REPLACE FUNCTION keep_station_facts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    facts station_facts := facts_of_station(NEW);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- A change holds from the moment at which it is made; changes of the registry come in turn.
        IF facts IS NOT DISTINCT FROM facts_of_station(OLD) THEN
            RETURN NULL;
        END IF;
        facts.valid_from := clock_timestamp();
        UPDATE station_facts f SET valid_to = facts.valid_from
        WHERE f.station_id = NEW.id AND f.valid_to = 'infinity';
    END IF;
    INSERT INTO station_facts VALUES (facts.*);
    RETURN NULL;
END $$;
DROP TRIGGER keep_facts_changed ON weigh_stations;
CREATE TRIGGER keep_facts_changed AFTER UPDATE ON weigh_stations
    FOR EACH ROW EXECUTE FUNCTION keep_station_facts();
