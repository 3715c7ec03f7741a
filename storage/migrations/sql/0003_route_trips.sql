-- Trips on fixed routes, and the departures that a route's timetable says there are.

-- The timetable of one version of a route: a departure that is to be run on some days.
CREATE TABLE route_slots (
    route_id   integer NOT NULL REFERENCES routes,
    seq        integer NOT NULL,
    direction  text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    departs    text NOT NULL CHECK (departs ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),  -- local time
    days       text[],                   -- "mon".."sun"; NULL: every day
    valid_from date,                     -- the first day; NULL: as the route
    valid_to   date,                     -- the day after the last; NULL: as the route
    PRIMARY KEY (route_id, seq),
    CHECK (valid_from < valid_to)
);

CREATE TABLE route_trips (
    vehicle_id   integer NOT NULL REFERENCES vehicles,
    route_id     integer NOT NULL REFERENCES routes,
    departed_at  timestamptz NOT NULL,   -- last fix in the terminal
    ended_at     timestamptz NOT NULL,   -- first fix in the next terminal, else last fix so far
    direction    text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    outcome      text NOT NULL
                 CHECK (outcome IN ('under_way', 'arrived', 'returned', 'broken_off')),
    driver_id    integer REFERENCES drivers,
    rule_profile text NOT NULL,
    distance_m   double precision NOT NULL,
    fixes        integer NOT NULL,
    unseen_s     double precision NOT NULL,
    start_lon    double precision NOT NULL,
    start_lat    double precision NOT NULL,
    end_lon      double precision NOT NULL,
    end_lat      double precision NOT NULL,
    PRIMARY KEY (vehicle_id, route_id, departed_at)
);
CREATE INDEX route_trips_route ON route_trips (route_id, departed_at);

-- What was found of a route's departures in a span of time.
CREATE INDEX violations_late_departure ON violations (subject, started_at)
    WHERE kind = 'late_departure';

-- Slots are seen and made as stops are, trips as visits are.
ALTER TABLE route_slots ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON route_slots FOR SELECT TO hanhtrinh_api
    USING (route_id IN (SELECT id FROM routes));
CREATE POLICY made ON route_slots FOR INSERT TO hanhtrinh_api
    WITH CHECK (route_id IN (SELECT r.id FROM routes r WHERE (SELECT scope_is_inspector())
                             OR r.operator_id = (SELECT scope_operator())));

ALTER TABLE route_trips ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON route_trips TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v WHERE v.operator_id = (SELECT scope_operator())));

GRANT SELECT ON route_slots, route_trips TO hanhtrinh_api;
GRANT INSERT ON route_slots TO hanhtrinh_api;

CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON route_slots
    FOR EACH STATEMENT EXECUTE FUNCTION touch_registry();
