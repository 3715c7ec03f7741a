-- What a vehicle did within an hour, from its fixes; docs/storage.md says what the numbers mean.
-- The steps of docs/rules.md: great circles on a sphere between consecutive clean fixes.

CREATE FUNCTION great_circle_m(lon0 float8, lat0 float8, lon1 float8, lat1 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 2 * 6371008.8 * asin(least(1, sqrt(
    power(sin(radians(lat1 - lat0) / 2), 2)
    + cos(radians(lat0)) * cos(radians(lat1)) * power(sin(radians(lon1 - lon0) / 2), 2))));

-- A step that would have taken over 250 km/h leads nowhere (analytics.stops.StopRule).
CREATE FUNCTION step_distance_m(length_m float8, gap_s float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length_m <= gap_s * 250 / 3.6 THEN length_m ELSE 0 END;

-- Driven: seen (rules, section 5: at most 900 s) and over 3 km/h at its end; where that fix knows no
-- speed, over the step.
CREATE FUNCTION step_driving_s(length_m float8, gap_s float8, speed_kmh float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN gap_s <= 900
             AND CASE WHEN speed_kmh = 'NaN' THEN length_m / gap_s * 3.6 ELSE speed_kmh END > 3
            THEN gap_s ELSE 0 END;

CREATE FUNCTION step_silent_s(gap_s float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN gap_s > 900 THEN gap_s ELSE 0 END;

-- The clean fixes of one vehicle and hour, in any order, as: distance_m, driving_s and silent_s of the
-- steps among them; then the first one's instant (seconds since 1970), lon, lat and speed, and the
-- last one's instant, lon and lat, by which the step from hour to hour is found. None: NULL.
CREATE FUNCTION hour_track(times timestamptz[], lons float8[], lats float8[], speeds real[])
RETURNS float8[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY[
        coalesce(sum(step_distance_m(s.length_m, s.gap_s)), 0),
        coalesce(sum(step_driving_s(s.length_m, s.gap_s, s.speed_kmh)), 0),
        coalesce(sum(step_silent_s(s.gap_s)), 0),
        date_part('epoch', min(s.t)),
        lons[array_position(times, min(s.t))],
        lats[array_position(times, min(s.t))],
        speeds[array_position(times, min(s.t))],
        date_part('epoch', max(s.t)),
        lons[array_position(times, max(s.t))],
        lats[array_position(times, max(s.t))]
    ]
    FROM (
        SELECT f.t, f.speed_kmh, date_part('epoch', f.t - lag(f.t) OVER w) AS gap_s,
               great_circle_m(lag(f.lon) OVER w, lag(f.lat) OVER w, f.lon, f.lat) AS length_m
        FROM unnest(times, lons, lats, speeds) AS f (t, lon, lat, speed_kmh)
        WINDOW w AS (ORDER BY f.t)
    ) s;
END;
