-- What takes fewer bytes as columns, and how it is read and shown (docs/decisions/0033).

-- When a fix arrived: where `received` is -infinity, so many milliseconds after its own time (before
-- it, where the tracker's clock is ahead). Fixes from before this migration have the instant itself,
-- and so have those whose delay is over 24 days. What is there is not rewritten.
ALTER TABLE fixes ADD COLUMN delay_ms integer NOT NULL DEFAULT 0;

-- Fixes as everybody but the writer knows them.
CREATE VIEW whole_fixes AS
SELECT f.vehicle_id, f.time,
       CASE WHEN f.received = '-infinity' THEN f.time + f.delay_ms * interval '1 millisecond'
            ELSE f.received END AS received,
       f.lon, f.lat, f.speed_kmh, f.heading, f.altitude, f.hdop, f.satellites, f.odometer,
       f.driver_id, f.inputs, f.quality
FROM fixes f;

CREATE OR REPLACE VIEW visible_fixes WITH (security_barrier) AS
SELECT f.*, x.extra
FROM whole_fixes f
LEFT JOIN fix_extras x ON x.vehicle_id = f.vehicle_id AND x.time = f.time
WHERE (SELECT scope_is_national())
   OR f.vehicle_id IN (SELECT v.id FROM vehicles v
                       WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[]));

-- A place as it is shown, to a centimetre: the decimal that was sent (devices.rounding is its twin).
CREATE FUNCTION shown_degrees(degrees float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN abs(degrees) <= 360
            THEN round(degrees * 1e7::float8) / 1e7::float8 + 0 ELSE degrees END;
