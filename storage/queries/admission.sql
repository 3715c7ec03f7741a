-- name: everybody
-- Who may be let in, and as what.
SELECT ident, kind FROM admitted

-- name: some
-- Which of these names may be let in, and as what.
SELECT ident, kind FROM admitted WHERE ident = ANY(%(idents)s)

-- name: listen
-- Hear of changes.
LISTEN hanhtrinh_admission
