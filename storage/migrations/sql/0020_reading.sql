-- The local days [first, until) of some vehicles, with the steps that led into them: the sums of
-- vehicle_hours over the same span, read of the days that are stored and of the hours since. Like
-- those it is the only way of the API's role to these numbers.
CREATE FUNCTION vehicle_days(vehicles integer[], first date, until date, zone text)
RETURNS TABLE (vehicle_id integer, day date, fixes bigint, clean_fixes bigint,
               distance_m float8, driving_s float8, silent_s float8, max_speed_kmh real)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    WITH kept AS MATERIALIZED (
        SELECT coalesce((SELECT u.until FROM fix_days_until u WHERE u.zone = vehicle_days.zone),
                        '-infinity') AS until
    )
    SELECT s.vehicle_id, s.day, s.fixes, s.clean_fixes,
           coalesce(s.track[1], 0) + coalesce(step_distance_m(s.length_m, s.gap_s), 0),
           coalesce(s.track[2], 0) + coalesce(step_driving_s(s.length_m, s.gap_s, s.track[7]), 0),
           coalesce(s.track[3], 0) + coalesce(step_silent_s(s.gap_s), 0),
           s.max_speed_kmh
    FROM (
        SELECT j.*, j.track[4] - j.earlier[8] AS gap_s,
               great_circle_m(j.earlier[9], j.earlier[10], j.track[5], j.track[6]) AS length_m
        FROM (
            SELECT l.vehicle_id, l.day, l.fixes, l.clean_fixes, l.max_speed_kmh, l.track,
                   -- As of hours: none that began before the day before the span.
                   CASE WHEN floor(l.earlier[8] / 3600) * 3600 >= date_part(
                            'epoch', day_begins(first, zone) - interval '1 day')
                        THEN l.earlier END AS earlier
            FROM (
                SELECT k.vehicle_id, d.*, lag(d.track)
                    OVER (PARTITION BY k.vehicle_id, d.track IS NULL ORDER BY d.day) AS earlier
                FROM unnest(vehicles) AS k (vehicle_id)
                CROSS JOIN LATERAL (
                    -- A day may have 23 hours: the day before the span may begin in the one before.
                    SELECT f.day, f.fixes, f.clean_fixes, f.max_speed_kmh, f.track
                    FROM fix_days f
                    WHERE f.vehicle_id = k.vehicle_id AND f.day >= first - 2
                      AND f.day < least(until, (SELECT kept.until FROM kept))
                    UNION ALL
                    SELECT h.*
                    FROM days_of_vehicle(k.vehicle_id, zone,
                                         greatest(first - 2, (SELECT kept.until FROM kept)),
                                         until) h
                    WHERE (SELECT kept.until FROM kept) < until
                    OFFSET 0
                ) d
                WHERE (SELECT scope_is_national()) OR k.vehicle_id IN
                      (SELECT v.id FROM vehicles v
                       WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[]))
            ) l
            WHERE l.day >= first
        ) j
        OFFSET 0
    ) s;
END;

REVOKE EXECUTE ON FUNCTION vehicle_days(integer[], date, date, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vehicle_days(integer[], date, date, text) TO hanhtrinh_api;
