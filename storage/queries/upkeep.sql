-- name: try_lock
-- Whether this session may work; it holds the lock until it says so or ends.
SELECT pg_try_advisory_lock(%(key)s)

-- name: unlock
-- Let others.
SELECT pg_advisory_unlock(%(key)s)

-- name: delete_extras
-- What the formats carried with fixes that are gone.
DELETE FROM fix_extras WHERE ctid IN
    (SELECT ctid FROM fix_extras WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_repeats
-- Second fixes of instants whose first is gone.
DELETE FROM fix_repeats WHERE ctid IN
    (SELECT ctid FROM fix_repeats WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_marks
-- Points to judge again from, where there are no fixes to judge.
DELETE FROM judge_marks WHERE ctid IN
    (SELECT ctid FROM judge_marks WHERE time < %(before)s LIMIT %(rows)s)

-- name: delete_violations
-- Violations that ended before an instant, with their versions, reviews and files. One under appeal
-- stays until it is decided.
WITH old AS (
    SELECT id FROM violations
    WHERE started_at < %(before)s AND ended_at < %(before)s AND review <> 'appealed'
    LIMIT %(rows)s
), versions AS (
    DELETE FROM violation_versions WHERE violation_id IN (SELECT id FROM old)
), reviews AS (
    DELETE FROM violation_reviews WHERE violation_id IN (SELECT id FROM old)
), attachments AS (
    DELETE FROM violation_attachments WHERE violation_id IN (SELECT id FROM old)
)
DELETE FROM violations WHERE id IN (SELECT id FROM old)
