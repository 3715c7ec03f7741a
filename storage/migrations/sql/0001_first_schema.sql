-- The first schema: registry, measurements, judgements, quarantine, access.
-- Runs on plain PostgreSQL 15+ and on TimescaleDB; the table of fixes is made partitioned or a
-- hypertable by the migration that runs this file. Instants are timestamptz, masses kg, speeds km/h,
-- lengths m, angles degrees.

-- Registry -------------------------------------------------------------------------------------

CREATE TABLE operators (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code     text NOT NULL UNIQUE,
    name     text NOT NULL,
    province text
);

CREATE TABLE vehicles (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plate           text NOT NULL CHECK (plate ~ '^[A-Z0-9]{4,12}$'),  -- letters and digits only
    operator_id     integer NOT NULL REFERENCES operators,
    class           text NOT NULL DEFAULT 'truck_over_3_5t',          -- speed class, docs/rules.md
    kind            text NOT NULL DEFAULT 'rigid'
                    CHECK (kind IN ('rigid', 'tractor_semi', 'rigid_trailer', 'bus', 'car')),
    speed_limit_kmh real,
    gross_kg        real,
    kerb_kg         real,
    cargo_kg        real,
    axles           smallint,
    valid_from      timestamptz NOT NULL DEFAULT '-infinity',
    valid_to        timestamptz NOT NULL DEFAULT 'infinity',
    CHECK (valid_from < valid_to)
);
-- A plate may move to another vehicle in time, never be on two at once from the same instant.
CREATE UNIQUE INDEX vehicles_plate ON vehicles (plate, valid_from);
CREATE INDEX vehicles_operator ON vehicles (operator_id);

CREATE TABLE devices (
    id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ident text NOT NULL UNIQUE,   -- IMEI, serial or MQTT user: what the topic names
    codec text,                   -- the codec it is known to speak; NULL: any
    note  text
);

CREATE TABLE device_assignments (
    device_id  integer NOT NULL REFERENCES devices,
    vehicle_id integer NOT NULL REFERENCES vehicles,
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_to   timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (device_id, valid_from),
    CHECK (valid_from < valid_to)
);
CREATE INDEX device_assignments_vehicle ON device_assignments (vehicle_id);

CREATE TABLE drivers (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    licence     text NOT NULL UNIQUE,
    name        text,
    operator_id integer REFERENCES operators
);

CREATE TABLE zones (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code            text NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    name            text NOT NULL DEFAULT '',
    kind            text NOT NULL
                    CHECK (kind IN ('speed', 'banned', 'terminal', 'stop', 'watch')),
    operator_id     integer REFERENCES operators,   -- NULL: everybody's
    geometry        jsonb NOT NULL,                 -- GeoJSON, RFC 7946
    radius_m        double precision,
    corridor_m      double precision,
    speed_limits    jsonb NOT NULL DEFAULT '{}',    -- {"*": 60, "bus": 50}: km/h by vehicle class
    classes         text[],                         -- NULL: every class
    weekly_hours    jsonb,                          -- [["mon".."sun", "HH:MM", "HH:MM"]]; NULL: always
    valid_from      timestamptz NOT NULL DEFAULT '-infinity',
    valid_to        timestamptz NOT NULL DEFAULT 'infinity',
    max_stay_s      double precision,
    min_duration_s  double precision NOT NULL DEFAULT 0,
    min_gross_kg    double precision,               -- a ban for vehicles of at least this gross mass
    overrides_road  boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (code, version),
    CHECK (valid_from < valid_to)
);

CREATE TABLE routes (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    name        text NOT NULL DEFAULT '',
    operator_id integer REFERENCES operators,       -- NULL: shared by several operators
    corridor_m  double precision NOT NULL CHECK (corridor_m > 0),
    terminal_a  text NOT NULL,                      -- code of a zone of kind terminal
    terminal_b  text NOT NULL,
    outbound    jsonb NOT NULL,                     -- GeoJSON LineString, from A to B
    inbound     jsonb NOT NULL,                     -- GeoJSON LineString, from B to A
    valid_from  timestamptz NOT NULL DEFAULT '-infinity',
    valid_to    timestamptz NOT NULL DEFAULT 'infinity',
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (code, version),
    CHECK (valid_from < valid_to)
);

CREATE TABLE route_stops (
    route_id   integer NOT NULL REFERENCES routes,
    direction  text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    seq        integer NOT NULL,
    name       text NOT NULL,
    lon        double precision NOT NULL,
    lat        double precision NOT NULL,
    compulsory boolean NOT NULL DEFAULT true,
    PRIMARY KEY (route_id, direction, seq)
);

CREATE TABLE vehicle_routes (
    vehicle_id integer NOT NULL REFERENCES vehicles,
    route_code text NOT NULL,                       -- the version in force at a fix's time applies
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_to   timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (vehicle_id, route_code, valid_from),
    CHECK (valid_from < valid_to)
);

CREATE TABLE weigh_stations (
    id               integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code             text NOT NULL UNIQUE,
    name             text NOT NULL DEFAULT '',
    lon              double precision NOT NULL,
    lat              double precision NOT NULL,
    kind             text NOT NULL DEFAULT 'static' CHECK (kind IN ('static', 'wim')),
    tolerance        double precision NOT NULL DEFAULT 0 CHECK (tolerance >= 0 AND tolerance < 1),
    calibrated_until timestamptz NOT NULL DEFAULT 'infinity',
    column_map       jsonb                          -- weigh-csv: our column -> the station's header
);

-- One row. A change of anything above moves the number, and workers load the registry anew.
CREATE TABLE registry_version (
    single  boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO registry_version DEFAULT VALUES;

CREATE FUNCTION touch_registry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_version SET version = version + 1;
    RETURN NULL;
END $$;

-- Measurements ---------------------------------------------------------------------------------

-- fixes: one row per (vehicle, time). Fixed width, no NULLs (NaN, -1, 255 are "unknown", as in
-- FixBatch), so that binary COPY is one array in either direction.
CREATE TABLE fixes (
    vehicle_id integer NOT NULL,
    time       timestamptz NOT NULL,
    received   timestamptz NOT NULL,
    lon        double precision NOT NULL,
    lat        double precision NOT NULL,
    speed_kmh  real NOT NULL,
    heading    real NOT NULL,
    altitude   real NOT NULL,
    hdop       real NOT NULL,
    satellites smallint NOT NULL,
    odometer   double precision NOT NULL,
    driver_id  integer NOT NULL,
    inputs     integer NOT NULL,     -- the 32 bits of FixBatch.inputs, as a signed integer
    quality    integer NOT NULL,
    PRIMARY KEY (vehicle_id, time)
) PARTITION BY RANGE (time);

CREATE TABLE fix_extras (
    vehicle_id integer NOT NULL,
    time       timestamptz NOT NULL,
    extra      jsonb NOT NULL,
    PRIMARY KEY (vehicle_id, time)
);

-- A second fix of one vehicle and time that differs from the stored one: kept, not judged.
CREATE TABLE fix_repeats (
    vehicle_id integer NOT NULL,
    time       timestamptz NOT NULL,
    received   timestamptz NOT NULL,
    lon        double precision NOT NULL,
    lat        double precision NOT NULL,
    speed_kmh  real NOT NULL,
    heading    real NOT NULL,
    PRIMARY KEY (vehicle_id, time, lon, lat, speed_kmh, heading)
);

CREATE TABLE weighings (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station_id     integer NOT NULL REFERENCES weigh_stations,
    vehicle_id     integer NOT NULL REFERENCES vehicles,
    time           timestamptz NOT NULL,
    received       timestamptz NOT NULL,
    lane           smallint NOT NULL,
    plate          text NOT NULL,
    gross_kg       double precision NOT NULL,
    speed_kmh      real NOT NULL,
    length_m       real NOT NULL,
    axle_kg        double precision[] NOT NULL,
    axle_spacing_m double precision[] NOT NULL,   -- to the axle before; NaN for the first
    extra          jsonb,
    UNIQUE (station_id, time, lane, plate)
);
CREATE INDEX weighings_vehicle ON weighings (vehicle_id, time DESC);

-- The newest judged fix of each vehicle, and from where its state can be rebuilt.
CREATE TABLE latest (
    vehicle_id   integer PRIMARY KEY,
    time         timestamptz NOT NULL,   -- of the newest clean fix, else of the newest fix
    lon          double precision NOT NULL,
    lat          double precision NOT NULL,
    speed_kmh    real NOT NULL,
    heading      real NOT NULL,
    driver_id    integer NOT NULL,
    inputs       integer NOT NULL,
    quality      integer NOT NULL,
    received     timestamptz NOT NULL,
    stored_until timestamptz NOT NULL,   -- greatest time of any stored fix
    judged_until timestamptz NOT NULL,   -- greatest time of a fix that the rules have taken in
    needs_from   timestamptz NOT NULL    -- replaying the stored fixes from here gives the state at judged_until
) WITH (fillfactor = 50);

-- Points on a vehicle's time line from which judging can be resumed when late data arrives:
-- replaying the stored fixes from needs_from gives the exact state after the fix at `time`.
CREATE TABLE judge_marks (
    vehicle_id integer NOT NULL,
    time       timestamptz NOT NULL,
    needs_from timestamptz NOT NULL,
    PRIMARY KEY (vehicle_id, time)
);

-- Judgements -----------------------------------------------------------------------------------

CREATE TABLE zone_visits (
    vehicle_id integer NOT NULL REFERENCES vehicles,
    zone_id    integer NOT NULL REFERENCES zones,
    entered_at timestamptz NOT NULL,
    left_at    timestamptz NOT NULL,     -- last fix inside so far
    is_open    boolean NOT NULL,
    fixes      integer NOT NULL,
    PRIMARY KEY (vehicle_id, zone_id, entered_at)
);
CREATE INDEX zone_visits_vehicle ON zone_visits (vehicle_id, entered_at DESC);

CREATE TABLE violations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    subject       text NOT NULL,         -- zone, route or station code; '' where there is none
    rule_profile  text NOT NULL,
    vehicle_id    integer NOT NULL REFERENCES vehicles,
    driver_id     integer REFERENCES drivers,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz NOT NULL,
    duration_s    double precision NOT NULL,
    distance_m    double precision NOT NULL,
    fixes         integer NOT NULL,
    start_lon     double precision NOT NULL,
    start_lat     double precision NOT NULL,
    end_lon       double precision NOT NULL,
    end_lat       double precision NOT NULL,
    details       jsonb NOT NULL,        -- the rule's own fields, docs/rules.md
    status        text NOT NULL CHECK (status IN ('open', 'final', 'revised', 'withdrawn')),
    version       integer NOT NULL DEFAULT 1,
    review        text NOT NULL DEFAULT 'new'
                  CHECK (review IN ('new', 'acknowledged', 'excused', 'confirmed', 'appealed', 'dismissed')),
    revised_under_review boolean NOT NULL DEFAULT false,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX violations_key ON violations (kind, vehicle_id, started_at, subject)
    WHERE status <> 'withdrawn';
CREATE INDEX violations_time ON violations (started_at DESC, id DESC);
CREATE INDEX violations_vehicle ON violations (vehicle_id, started_at DESC, id DESC);

-- Every version that is no longer current, as it was: append only.
CREATE TABLE violation_versions (
    violation_id bigint NOT NULL REFERENCES violations,
    version      integer NOT NULL,
    facts        jsonb NOT NULL,         -- the whole violations row of that version
    superseded_at timestamptz NOT NULL DEFAULT now(),
    superseded_by text NOT NULL,         -- who: 'worker' or a person
    reason       text NOT NULL,          -- why: 'late data', 'registry changed', ...
    PRIMARY KEY (violation_id, version)
);

-- What could not be used -----------------------------------------------------------------------

CREATE TABLE quarantine (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received    timestamptz NOT NULL,
    topic       text NOT NULL,
    payload     bytea NOT NULL,
    payload_bytes integer NOT NULL,      -- full length; payload is cut at the limit of docs/storage.md
    reason      text NOT NULL,
    at          integer NOT NULL DEFAULT 0,
    detail      text NOT NULL DEFAULT '',
    ident       text NOT NULL DEFAULT '',
    digest      bytea NOT NULL,          -- sha256(topic, payload): redelivery adds a count, not a row
    seen        integer NOT NULL DEFAULT 1,
    last_seen   timestamptz NOT NULL,
    released_at timestamptz
);
CREATE UNIQUE INDEX quarantine_digest ON quarantine (digest) WHERE released_at IS NULL;
CREATE INDEX quarantine_open ON quarantine (reason, id) WHERE released_at IS NULL;

-- Fixes that repeated a stored one, by vehicle and day, so that nothing goes uncounted.
CREATE TABLE repeat_counts (
    vehicle_id integer NOT NULL,
    day        date NOT NULL,
    repeats    bigint NOT NULL,
    PRIMARY KEY (vehicle_id, day)
);

-- Access ---------------------------------------------------------------------------------------

CREATE TABLE api_tokens (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    digest      bytea NOT NULL UNIQUE,   -- sha256 of the token: 256 random bits need no salt
    role        text NOT NULL CHECK (role IN ('inspector', 'operator')),
    operator_id integer REFERENCES operators,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL DEFAULT 'infinity',
    revoked_at  timestamptz,
    CHECK ((role = 'operator') = (operator_id IS NOT NULL))
);
