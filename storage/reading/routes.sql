-- name: routes
-- A page of routes in order of code: of each code the newest version, or the one at an instant.
SELECT r.code, r.version, r.name, r.operator, r.corridor_m, r.terminal_a, r.terminal_b,
       r.outbound, r.inbound,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('direction', s.direction, 'seq', s.seq,
                   'name', s.name, 'lon', s.lon, 'lat', s.lat, 'compulsory', s.compulsory)
                   ORDER BY s.direction DESC, s.seq), '[]')
        FROM route_stops s WHERE s.route_id = r.id),
       (SELECT coalesce(jsonb_agg(jsonb_build_object('direction', s.direction,
                   'departs', s.departs, 'days', s.days, 'valid_from', s.valid_from,
                   'valid_to', s.valid_to) ORDER BY s.seq), '[]')
        FROM route_slots s WHERE s.route_id = r.id),
       r.valid_from, r.valid_to, r.created_at, r.valid_to <= now(), r.code
FROM (
    SELECT DISTINCT ON (y.code) y.*, o.code AS operator
    FROM routes y
    LEFT JOIN operators o ON o.id = y.operator_id
    WHERE (%(operator)s::text IS NULL OR o.code = %(operator)s)
      AND (%(at)s::timestamptz IS NULL OR (y.valid_from <= %(at)s AND y.valid_to > %(at)s))
      AND (%(after)s::text IS NULL OR y.code > %(after)s)
    ORDER BY y.code, y.version DESC
) r
WHERE %(retired)s OR %(at)s::timestamptz IS NOT NULL OR r.valid_to > now()
ORDER BY r.code
LIMIT %(rows)s;

-- name: route
-- One route: its newest version, or the one asked for.
SELECT r.code, r.version, r.name, o.code, r.corridor_m, r.terminal_a, r.terminal_b,
       r.outbound, r.inbound,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('direction', s.direction, 'seq', s.seq,
                   'name', s.name, 'lon', s.lon, 'lat', s.lat, 'compulsory', s.compulsory)
                   ORDER BY s.direction DESC, s.seq), '[]')
        FROM route_stops s WHERE s.route_id = r.id),
       (SELECT coalesce(jsonb_agg(jsonb_build_object('direction', s.direction,
                   'departs', s.departs, 'days', s.days, 'valid_from', s.valid_from,
                   'valid_to', s.valid_to) ORDER BY s.seq), '[]')
        FROM route_slots s WHERE s.route_id = r.id),
       r.valid_from, r.valid_to, r.created_at, r.valid_to <= now()
FROM routes r
LEFT JOIN operators o ON o.id = r.operator_id
WHERE r.code = %(code)s AND (%(version)s::integer IS NULL OR r.version = %(version)s)
ORDER BY r.version DESC
LIMIT 1;

-- name: route_versions
-- All versions of a route, newest first.
SELECT r.version, r.valid_from, r.valid_to, r.created_at
FROM routes r
WHERE r.code = %(code)s
ORDER BY r.version DESC
LIMIT 1000;

-- name: is_route_known
-- Whether the caller sees a route of this code at all.
SELECT true FROM routes r WHERE r.code = %(code)s LIMIT 1;

-- name: lock_route
-- The newest version of a route, locked; no row if the caller may not change it.
SELECT r.version, r.operator_id, r.valid_from,
       (extract(epoch FROM CASE
            WHEN %(from_us)s::bigint IS NULL
            THEN greatest(now(), r.valid_from + interval '1 microsecond')
            ELSE timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond'
        END) * 1000000)::bigint,
       r.valid_to <= now(),
       coalesce(timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond'
                <= r.valid_from, false)
FROM routes r
WHERE r.code = %(code)s
ORDER BY r.version DESC
LIMIT 1
FOR UPDATE;

