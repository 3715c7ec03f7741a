-- As before, but for OFFSET 0: the planner would else lift the inner query out, and the hours that are
-- not stored yet would be worked out for every vehicle there is before some are picked.
CREATE OR REPLACE FUNCTION vehicle_hours(vehicles integer[], since timestamptz, until timestamptz)
RETURNS TABLE (vehicle_id integer, hour timestamptz, fixes bigint, clean_fixes bigint,
               distance_m float8, driving_s float8, silent_s float8, max_speed_kmh real)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT s.vehicle_id, s.hour, s.fixes, s.clean_fixes,
           coalesce(s.track[1], 0) + coalesce(step_distance_m(s.length_m, s.gap_s), 0),
           coalesce(s.track[2], 0) + coalesce(step_driving_s(s.length_m, s.gap_s, s.track[7]), 0),
           coalesce(s.track[3], 0) + coalesce(step_silent_s(s.gap_s), 0),
           s.max_speed_kmh
    FROM (
        SELECT j.*, j.track[4] - j.earlier[8] AS gap_s,
               great_circle_m(j.earlier[9], j.earlier[10], j.track[5], j.track[6]) AS length_m
        FROM (
            SELECT h.*, lag(h.track)
                OVER (PARTITION BY h.vehicle_id, h.track IS NULL ORDER BY h.hour) AS earlier
            FROM unnest(vehicles) AS k (vehicle_id)
            CROSS JOIN LATERAL (
                SELECT f.* FROM fix_hours f
                WHERE f.vehicle_id = k.vehicle_id AND f.hour >= since - interval '1 day'
                  AND f.hour < until
                OFFSET 0
            ) h
            WHERE (SELECT scope_is_national()) OR k.vehicle_id IN
                  (SELECT v.id FROM vehicles v
                   WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[]))
        ) j
        WHERE j.hour >= since
    ) s;
END;
