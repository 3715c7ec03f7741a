-- name: attempt
-- Count an attempt before its password is looked at, so that attempts at once are all counted. The
-- fifth in a row locks the name for a minute, each further one for twice as long, up to an hour; a
-- day of quiet forgets them. A locked name is not counted on. Returns seconds until it is open.
INSERT INTO login_failures AS f (who, failures, last_at, locked_until)
VALUES (%(who)s, 1, now(), '-infinity')
ON CONFLICT (who) DO UPDATE SET
    failures = CASE WHEN f.locked_until > now() THEN f.failures
                    WHEN f.last_at < now() - interval '1 day' THEN 1 ELSE f.failures + 1 END,
    last_at = now()
RETURNING greatest(0, CASE WHEN f.locked_until > now()
                           THEN extract(epoch FROM f.locked_until - now()) ELSE 0 END)::float8,
          failures

-- name: lock
-- Lock a name after too many wrong attempts.
UPDATE login_failures f
SET locked_until = now() + least(60 * 2 ^ least(f.failures - %(allowed)s, 10), 3600)
                           * interval '1 second'
WHERE f.who = %(who)s AND f.failures >= %(allowed)s

-- name: pass
-- Nothing is counted any longer, nor what was tried days ago under other names.
DELETE FROM login_failures WHERE who = %(who)s OR last_at < now() - interval '2 days'

-- name: forgive
-- The attempt was right as far as it went.
UPDATE login_failures SET failures = greatest(0, failures - 1) WHERE who = %(who)s

-- name: candidate
-- Who it could be.
SELECT p.id, p.username, p.password, p.must_change,
       extract(epoch FROM now() - p.password_set_at)::float8,
       CASE WHEN p.factor_since IS NOT NULL THEN p.factor END
FROM people p WHERE p.username = %(username)s AND p.disabled_at IS NULL

-- name: open
-- A new session.
INSERT INTO sessions (digest, person_id, idle_s, expires_at, address, proven_by, is_limited)
VALUES (%(digest)s, %(person_id)s, %(idle_s)s, now() + %(longest_s)s * interval '1 second',
        %(address)s, %(proven_by)s, %(is_limited)s)

-- name: end
-- End a session.
UPDATE sessions SET ended_at = now() WHERE id = %(id)s AND ended_at IS NULL

-- name: touch
-- A session is in use; written down once a minute.
UPDATE sessions SET seen_at = now() WHERE id = %(id)s AND seen_at < now() - interval '1 minute'

-- name: free
-- The password has been changed: the session may do what the person may.
UPDATE sessions SET is_limited = false WHERE id = %(id)s

-- name: rehash
-- The same password, kept with today's costs.
UPDATE people SET password = %(password)s WHERE id = %(person_id)s

-- name: factor
-- Somebody's second factor, sealed, and whether it is proven.
SELECT p.factor, p.factor_since IS NOT NULL FROM people p WHERE p.id = %(person_id)s

-- name: set_factor
-- A new second factor, to be proven.
UPDATE people SET factor = %(factor)s, factor_since = NULL, factor_step = 0
WHERE id = %(person_id)s AND factor_since IS NULL

-- name: use_step
-- A code is used, unless it or a later one has been.
UPDATE people SET factor_step = %(step)s, factor_since = coalesce(factor_since, now())
WHERE id = %(person_id)s AND factor_step < %(step)s

-- name: by_subject
-- Whom the identity provider means.
SELECT p.id, p.username FROM people p
WHERE p.subject = %(subject)s AND p.disabled_at IS NULL

-- name: link
-- Bind somebody who has no password to a subject of the identity provider, once.
UPDATE people SET subject = %(subject)s
WHERE username = %(username)s AND subject IS NULL AND password IS NULL AND disabled_at IS NULL
RETURNING id, username
