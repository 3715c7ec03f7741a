-- name: zones
-- A page of zones in order of code: of each code the newest version, or the one at an instant.
SELECT z.code, z.version, z.name, z.kind, z.operator, z.geometry, z.radius_m, z.corridor_m,
       z.speed_limits, z.classes, z.weekly_hours, z.valid_from, z.valid_to, z.max_stay_s,
       z.min_duration_s, z.min_gross_kg, z.overrides_road, z.crossings, z.created_at, z.valid_to <= now(),
       z.code
FROM (
    SELECT DISTINCT ON (y.code) y.*, o.code AS operator
    FROM zones y
    LEFT JOIN operators o ON o.id = y.operator_id
    WHERE (%(operator)s::text IS NULL OR o.code = %(operator)s)
      AND (%(at)s::timestamptz IS NULL OR (y.valid_from <= %(at)s AND y.valid_to > %(at)s))
      AND (%(after)s::text IS NULL OR y.code > %(after)s)
    ORDER BY y.code, y.version DESC
) z
WHERE (%(retired)s OR %(at)s::timestamptz IS NOT NULL OR z.valid_to > now())
  -- Of the version that is shown: an earlier one may have been of another kind.
  AND (%(kind)s::text IS NULL OR z.kind = %(kind)s)
ORDER BY z.code
LIMIT %(rows)s;

-- name: zone
-- One zone: its newest version, or the one asked for.
SELECT z.code, z.version, z.name, z.kind, o.code, z.geometry, z.radius_m, z.corridor_m,
       z.speed_limits, z.classes, z.weekly_hours, z.valid_from, z.valid_to, z.max_stay_s,
       z.min_duration_s, z.min_gross_kg, z.overrides_road, z.crossings, z.created_at, z.valid_to <= now()
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
-- The newest version of a zone, locked; no row if the caller may not change it.
SELECT z.version, z.operator_id, z.valid_from,
       (extract(epoch FROM CASE
            WHEN %(from_us)s::bigint IS NULL
            THEN greatest(now(), z.valid_from + interval '1 microsecond')
            ELSE timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond'
        END) * 1000000)::bigint,
       z.valid_to <= now(),
       coalesce(timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond'
                <= z.valid_from, false)
FROM zones z
WHERE z.code = %(code)s
ORDER BY z.version DESC
LIMIT 1
FOR UPDATE;

-- name: operator_id
-- The operator of a code, among those that the caller sees.
SELECT id FROM operators WHERE code = %(code)s;

-- name: terminals
-- Those of some codes that name a zone of kind terminal that is not retired.
SELECT DISTINCT code FROM zones
WHERE code = ANY (%(codes)s::text[]) AND kind = 'terminal' AND valid_to > now();
