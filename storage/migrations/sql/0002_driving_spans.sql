-- Who drove when. A span that is moving ends at its vehicle's newest clean fix (`latest`): its own
-- row says how it began, and is not touched while it goes on.
CREATE TABLE driving_spans (
    vehicle_id   integer NOT NULL REFERENCES vehicles,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL,     -- of one that is moving: its start
    driver_id    integer REFERENCES drivers,
    rule_profile text NOT NULL,
    is_open      boolean NOT NULL,
    is_moving    boolean NOT NULL,         -- open, and driven on at the last fix known
    continues    boolean NOT NULL,         -- begins where midnight cut the one before
    unseen_s     double precision NOT NULL,
    distance_m   double precision NOT NULL, -- 0 while it is moving, and so is `fixes`
    fixes        integer NOT NULL,
    start_lon    double precision NOT NULL,
    start_lat    double precision NOT NULL,
    end_lon      double precision NOT NULL,
    end_lat      double precision NOT NULL,
    PRIMARY KEY (vehicle_id, started_at)
);
CREATE INDEX driving_spans_driver ON driving_spans (driver_id, started_at);

-- Driving time is judged by driver.
CREATE INDEX violations_driver ON violations (driver_id, started_at DESC, id DESC);

ALTER TABLE driving_spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON driving_spans TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));
GRANT SELECT ON driving_spans TO hanhtrinh_api;
