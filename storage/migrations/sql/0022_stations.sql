-- What a weigh station was at each instant, as far as a weighing is judged by it: its tolerance, its
-- kind, and where it stood. weigh_stations holds what it is; a trigger keeps the spans.

CREATE TABLE station_facts (
    station_id integer NOT NULL REFERENCES weigh_stations,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz NOT NULL,
    tolerance  double precision NOT NULL,
    kind       text NOT NULL,
    lon        double precision NOT NULL,
    lat        double precision NOT NULL,
    PRIMARY KEY (station_id, valid_from),
    CHECK (valid_from < valid_to)
);

-- Of those that there are, the history knows what was changed since it is kept.
WITH changed AS (
    SELECT h.subject AS station_id, h.at, h.before, h.after,
           row_number() OVER (PARTITION BY h.subject ORDER BY h.id) AS nth
    FROM registry_history h
    WHERE h.kind = 'station' AND h.before IS NOT NULL AND h.after IS NOT NULL
      AND (h.before -> 'tolerance', h.before -> 'kind', h.before -> 'lon', h.before -> 'lat')
          IS DISTINCT FROM
          (h.after -> 'tolerance', h.after -> 'kind', h.after -> 'lon', h.after -> 'lat')
), states AS (
    SELECT w.id AS station_id, timestamptz '-infinity' AS since, coalesce(c.before, to_jsonb(w)) AS facts
    FROM weigh_stations w LEFT JOIN changed c ON c.station_id = w.id AND c.nth = 1
    UNION ALL
    SELECT c.station_id, c.at, c.after FROM changed c
)
INSERT INTO station_facts
SELECT s.station_id, s.since,
       lead(s.since, 1, 'infinity') OVER (PARTITION BY s.station_id ORDER BY s.since),
       (s.facts ->> 'tolerance')::float8, s.facts ->> 'kind', (s.facts ->> 'lon')::float8,
       (s.facts ->> 'lat')::float8
FROM states s;

-- A change holds from the moment at which it is made: weighings before it were judged by what was.
-- Changes of the registry come in turn, so that these moments follow each other.
CREATE FUNCTION keep_station_facts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    since timestamptz := '-infinity';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        since := clock_timestamp();
        UPDATE station_facts f SET valid_to = since
        WHERE f.station_id = NEW.id AND f.valid_to = 'infinity';
    END IF;
    INSERT INTO station_facts (station_id, valid_from, valid_to, tolerance, kind, lon, lat)
    VALUES (NEW.id, since, 'infinity', NEW.tolerance, NEW.kind, NEW.lon, NEW.lat);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_facts AFTER INSERT ON weigh_stations
    FOR EACH ROW EXECUTE FUNCTION keep_station_facts();
CREATE TRIGGER keep_facts_changed AFTER UPDATE ON weigh_stations FOR EACH ROW
    WHEN ((OLD.tolerance, OLD.kind, OLD.lon, OLD.lat) IS DISTINCT FROM
          (NEW.tolerance, NEW.kind, NEW.lon, NEW.lat))
    EXECUTE FUNCTION keep_station_facts();

ALTER TABLE station_facts ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON station_facts FOR SELECT TO hanhtrinh_api USING ((SELECT scope_is_set()));
GRANT SELECT ON station_facts TO hanhtrinh_api;
