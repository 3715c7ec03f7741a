-- name: violations
-- A page of violations, newest first; each condition holds where its parameter is given. Warnings,
-- which are none, come where their kind is asked for. Where a small fleet is given, its vehicles' own
-- rows are sorted: walking everybody's in order of time, the planner would stop late, not early.
SELECT v.id, v.kind, v.subject, v.rule_profile, v.vehicle_id, h.plate, o.code, d.licence,
       v.started_at, v.ended_at, v.duration_s, v.distance_m, v.fixes,
       shown_degrees(v.start_lon), shown_degrees(v.start_lat), shown_degrees(v.end_lon),
       shown_degrees(v.end_lat), v.details, v.status, v.version, v.review, v.revised_under_review,
       v.review_number, v.proposal, v.first_seen_at, v.changed_at,
       ARRAY[(extract(epoch FROM v.started_at) * 1000000)::bigint, v.id]
FROM violations v
JOIN vehicles h ON h.id = v.vehicle_id
JOIN operators o ON o.id = h.operator_id
LEFT JOIN visible_drivers d ON d.id = v.driver_id
WHERE CASE WHEN %(kinds)s::text[] IS NULL THEN right(v.kind, 8) <> '_warning'
           ELSE v.kind = ANY (%(kinds)s) END
  AND (%(vehicle)s::integer IS NULL OR v.vehicle_id = %(vehicle)s)
  AND (%(operator)s::text IS NULL OR o.code = %(operator)s)
  AND (%(fleet)s::integer[] IS NULL OR v.vehicle_id = ANY (%(fleet)s))
  AND (%(subject)s::text IS NULL OR v.subject = %(subject)s)
  AND (%(from)s::timestamptz IS NULL OR v.started_at >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR v.started_at < %(to)s)
  AND v.status = ANY (%(statuses)s::text[])
  AND (%(reviews)s::text[] IS NULL OR v.review = ANY (%(reviews)s))
  AND (%(flagged)s::boolean IS NULL OR v.revised_under_review = %(flagged)s)
  AND (%(proposed)s::boolean IS NULL OR (v.proposal IS NOT NULL) = %(proposed)s)
  AND (%(min_duration_s)s::float8 IS NULL OR v.duration_s >= %(min_duration_s)s)
  AND (%(before_us)s::bigint IS NULL OR (v.started_at, v.id) <
       (timestamptz 'epoch' + %(before_us)s::bigint * interval '1 microsecond', %(before_id)s))
ORDER BY CASE WHEN %(fleet)s::integer[] IS NULL THEN v.started_at
              ELSE v.started_at + interval '0' END DESC, v.id DESC
LIMIT %(rows)s;

-- name: violation
-- One violation, whatever its status; the last columns are the exact ends of its interval.
SELECT v.id, v.kind, v.subject, v.rule_profile, v.vehicle_id, h.plate, o.code, d.licence,
       v.started_at, v.ended_at, v.duration_s, v.distance_m, v.fixes,
       shown_degrees(v.start_lon), shown_degrees(v.start_lat), shown_degrees(v.end_lon),
       shown_degrees(v.end_lat), v.details, v.status, v.version, v.review, v.revised_under_review,
       v.review_number, v.proposal, v.first_seen_at, v.changed_at,
       ARRAY[(extract(epoch FROM v.started_at) * 1000000)::bigint,
             (extract(epoch FROM v.ended_at) * 1000000)::bigint]
FROM violations v
JOIN vehicles h ON h.id = v.vehicle_id
JOIN operators o ON o.id = h.operator_id
LEFT JOIN visible_drivers d ON d.id = v.driver_id
WHERE v.id = %(violation)s;

-- name: versions
-- The earlier versions of a violation, newest first.
SELECT r.version, r.superseded_at, r.superseded_by, r.reason,
       (r.facts ->> 'started_at')::timestamptz, (r.facts ->> 'ended_at')::timestamptz,
       (r.facts ->> 'duration_s')::float8, (r.facts ->> 'distance_m')::float8,
       (r.facts ->> 'fixes')::integer, r.facts ->> 'rule_profile', r.facts ->> 'status',
       coalesce(r.facts -> 'details', '{}')
FROM violation_versions r
WHERE r.violation_id = %(violation)s
ORDER BY r.version DESC
LIMIT 1000;

-- name: speeding_bands
-- The bands of the speeding violations of a vehicle that began in a span of time, without those
-- that people excused or dismissed.
SELECT v.details->>'band' FROM violations v
WHERE v.vehicle_id = %(vehicle)s AND v.kind = 'speeding' AND v.status <> 'withdrawn'
  AND v.review NOT IN ('excused', 'dismissed')
  AND v.started_at >= %(from)s AND v.started_at < %(to)s;
