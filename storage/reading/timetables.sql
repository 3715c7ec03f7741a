-- name: versions
-- The versions of a route that were in force in a span of time, with their timetables, and whose it
-- is. Instants are microseconds, null: without a bound.
SELECT r.id, r.version, r.operator_id,
       CASE WHEN isfinite(r.valid_from) THEN (extract(epoch FROM r.valid_from) * 1000000)::bigint END,
       CASE WHEN isfinite(r.valid_to) THEN (extract(epoch FROM r.valid_to) * 1000000)::bigint END,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(s.direction, s.departs, s.days, s.valid_from,
                   s.valid_to) ORDER BY s.seq), '[]')
        FROM route_slots s WHERE s.route_id = r.id)
FROM routes r
WHERE r.code = %(code)s
  AND r.valid_from < timestamptz 'epoch' + %(last)s::bigint * interval '1 microsecond'
  AND r.valid_to > timestamptz 'epoch' + %(first)s::bigint * interval '1 microsecond'
ORDER BY r.version;

-- name: departures
-- The trips of all versions of a route that left a terminal in a span of time.
SELECT t.vehicle_id, t.route_id, t.direction, (extract(epoch FROM t.departed_at) * 1000000)::bigint,
       t.outcome
FROM route_trips t
JOIN routes r ON r.id = t.route_id
WHERE r.code = %(code)s
  AND t.departed_at >= timestamptz 'epoch' + %(first)s::bigint * interval '1 microsecond'
  AND t.departed_at < timestamptz 'epoch' + %(last)s::bigint * interval '1 microsecond'
ORDER BY t.departed_at, t.vehicle_id, t.route_id;
