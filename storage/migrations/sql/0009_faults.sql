-- What a worker needs to come through a flood of old fixes, and through a message that kills it.

-- Fixes that came so late and so many that they wait to be judged: they are nobody's to see yet, and
-- become rows of `fixes` in the transaction that judges them. Columns after `shard` as in `fixes`.
CREATE TABLE late_fixes (
    shard      integer NOT NULL,       -- of the worker that took them in
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
    inputs     integer NOT NULL,
    quality    integer NOT NULL
);
CREATE INDEX late_fixes_vehicle ON late_fixes (shard, vehicle_id, time);

CREATE TABLE late_fix_extras (
    vehicle_id integer NOT NULL,
    time       timestamptz NOT NULL,
    extra      jsonb NOT NULL
);
CREATE INDEX late_fix_extras_vehicle ON late_fix_extras (vehicle_id, time);

-- The messages that a worker has in hand, by digest, eight bytes each: what a successor finds here
-- was not committed when its process ended.
CREATE TABLE batches_in_hand (
    shard    integer PRIMARY KEY,
    digests  bytea NOT NULL DEFAULT '',   -- of the batch that is being worked on
    suspects bytea NOT NULL DEFAULT '',   -- were in hand when a worker died
    guilty   bytea NOT NULL DEFAULT ''    -- were alone in hand when the next one died
);
