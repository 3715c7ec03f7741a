-- name: zones
-- A page of zones in order of code: of each code the newest version, or the one at an instant.
SELECT z.code, z.version, z.name, z.kind, z.operator, z.geometry, z.radius_m, z.corridor_m,
       z.speed_limits, z.classes, z.weekly_hours, z.valid_from, z.valid_to, z.max_stay_s,
       z.min_duration_s, z.min_gross_kg, z.overrides_road, z.created_at, z.valid_to <= now(), z.code
FROM (
    SELECT DISTINCT ON (y.code) y.*, o.code AS operator
    FROM zones y
    LEFT JOIN operators o ON o.id = y.operator_id
    WHERE (%(kind)s::text IS NULL OR y.kind = %(kind)s)
      AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
      AND (%(at)s::timestamptz IS NULL OR (y.valid_from <= %(at)s AND y.valid_to > %(at)s))
      AND (%(after)s::text IS NULL OR y.code > %(after)s)
    ORDER BY y.code, y.version DESC
) z
WHERE %(retired)s OR %(at)s::timestamptz IS NOT NULL OR z.valid_to > now()
ORDER BY z.code
LIMIT %(rows)s;

-- name: zone
-- One zone: its newest version, or the one asked for.
SELECT z.code, z.version, z.name, z.kind, o.code, z.geometry, z.radius_m, z.corridor_m,
       z.speed_limits, z.classes, z.weekly_hours, z.valid_from, z.valid_to, z.max_stay_s,
       z.min_duration_s, z.min_gross_kg, z.overrides_road, z.created_at, z.valid_to <= now()
FROM zones z
LEFT JOIN operators o ON o.id = z.operator_id
WHERE z.code = %(code)s AND (%(version)s::integer IS NULL OR z.version = %(version)s)
ORDER BY z.version DESC
LIMIT 1;

-- name: zone_versions
-- All versions of a zone, newest first.
SELECT z.version, z.valid_from, z.valid_to, z.created_at
FROM zones z
WHERE z.code = %(code)s
ORDER BY z.version DESC
LIMIT 1000;

-- name: is_zone_known
-- Whether the caller sees a zone of this code at all.
SELECT true FROM zones z WHERE z.code = %(code)s LIMIT 1;

-- name: lock_zone
-- The newest version of a zone, held until the transaction ends; no row if it may not be changed.
SELECT z.id, z.version, z.operator_id, z.valid_from,
       (extract(epoch FROM CASE
            WHEN %(from_us)s::bigint IS NULL
            THEN greatest(now(), z.valid_from + interval '1 microsecond')
            ELSE timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond'
        END) * 1000000)::bigint,
       z.valid_to <= now()
FROM zones z
WHERE z.code = %(code)s
ORDER BY z.version DESC
LIMIT 1
FOR UPDATE;

-- name: end_zone
-- A version is in force no longer than until its successor begins, or until it is retired.
UPDATE zones SET valid_to = timestamptz 'epoch' + %(until_us)s::bigint * interval '1 microsecond'
WHERE id = %(id)s
  AND valid_to > timestamptz 'epoch' + %(until_us)s::bigint * interval '1 microsecond';

-- name: insert_zone
-- A new version of a zone. An instant that is not given: from now on, for ever.
INSERT INTO zones (code, version, name, kind, operator_id, geometry, radius_m, corridor_m,
                   speed_limits, classes, weekly_hours, valid_from, valid_to, max_stay_s,
                   min_duration_s, min_gross_kg, overrides_road)
VALUES (%(code)s, %(version)s, %(name)s, %(kind)s, %(operator_id)s, %(geometry)s, %(radius_m)s,
        %(corridor_m)s, %(speed_limits)s, %(classes)s, %(weekly_hours)s,
        coalesce(timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond', now()),
        coalesce(%(valid_to)s, 'infinity'), %(max_stay_s)s,
        %(min_duration_s)s, %(min_gross_kg)s, %(overrides_road)s);

-- name: operator_id
-- The operator of a code, among those that the caller sees.
SELECT id FROM operators WHERE code = %(code)s;

-- name: is_terminal
-- Whether a code names a zone of kind terminal that is not retired.
SELECT true FROM zones
WHERE code = %(code)s AND kind = 'terminal' AND valid_to > now()
LIMIT 1;
