-- name: standing
-- How the review of a violation stands; nothing where the caller does not see the violation.
SELECT v.kind, v.status, v.version, v.review, v.review_number, v.revised_under_review,
       p.number, p.step, p.person_id,
       ARRAY(SELECT DISTINCT c.person_id FROM visible_reviews r,
                    LATERAL (VALUES (r.person_id), (r.proposed_by)) c (person_id)
             WHERE r.violation_id = v.id AND r.step = 'confirm' AND r.act IN ('taken', 'agreed')
               AND c.person_id IS NOT NULL)
FROM violations v
LEFT JOIN visible_reviews p ON p.violation_id = v.id AND p.number = v.proposal
WHERE v.id = %(violation)s

-- name: take
-- A step; its effect on the violation follows from it (the trigger `apply`).
INSERT INTO violation_reviews (violation_id, number, act, step, from_state, to_state, version,
                               reason, text)
VALUES (%(violation)s, %(number)s, %(act)s, %(step)s, %(before)s, %(after)s, %(version)s,
        %(reason)s, %(text)s)

-- name: steps
-- What happened to a review, the newest first.
SELECT r.number, r.at, r.act, r.step, r.from_state, r.to_state, r.version, r.reason, r.text,
       r.actor, r.role, o.code, r.province
FROM visible_reviews r
LEFT JOIN operators o ON o.id = r.operator_id
WHERE r.violation_id = %(violation)s
  AND (%(number)s::integer IS NULL OR r.number = %(number)s)
ORDER BY r.number DESC
LIMIT 1000

-- name: take_turn
-- Let nobody else add a file to a violation, nor for an operator, until this transaction is over: in
-- this order, so that no two wait for each other. (A row could be locked by those who may change it.)
SELECT pg_advisory_xact_lock(hashtextextended('files of violation ' || %(violation)s::bigint, 0)),
       pg_advisory_xact_lock(hashtextextended('files of operator ' || %(operator)s::integer, 0))

-- name: room
-- How many files a violation has, and how many bytes the caller's operator added in a day.
SELECT (SELECT count(*) FROM violation_attachments a WHERE a.violation_id = %(violation)s),
       (SELECT coalesce(sum(a.bytes), 0)::bigint FROM violation_attachments a
        WHERE a.operator_id = %(operator)s AND a.added_at > now() - interval '1 day')

-- name: add
-- Keep a file.
INSERT INTO violation_attachments (violation_id, name, type, bytes, sha256, content)
VALUES (%(violation)s, %(name)s, %(type)s, %(bytes)s, %(sha256)s, %(content)s)
RETURNING id

-- name: attachments
-- Files of a violation in the order in which they were added, or one of them.
SELECT a.id, a.number, a.added_at, a.name, a.type, a.bytes, encode(a.sha256, 'hex'),
       CASE WHEN (SELECT scope_can('decide'))
                 OR a.operator_id = ANY ((SELECT scope_operators())::integer[]) THEN a.actor END,
       a.role, o.code
FROM violation_attachments a
LEFT JOIN operators o ON o.id = a.operator_id
WHERE a.violation_id = %(violation)s
  AND (%(attachment)s::bigint IS NULL OR a.id = %(attachment)s)
ORDER BY a.id

-- name: content
-- What is in a file.
SELECT a.content FROM violation_attachments a
WHERE a.violation_id = %(violation)s AND a.id = %(attachment)s

-- name: remove
-- Take a file back; nothing where it is somebody else's, or a step leans on it.
DELETE FROM violation_attachments a
WHERE a.violation_id = %(violation)s AND a.id = %(attachment)s

-- name: flagged
-- Violations whose facts were revised under a review, by how it stands.
SELECT v.review, count(*) FROM violations v WHERE v.revised_under_review GROUP BY v.review
