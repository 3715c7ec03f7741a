-- name: upsert
-- Visits as far as they are known; one that has not changed is not touched.
INSERT INTO zone_visits AS z (vehicle_id, zone_id, entered_at, left_at, is_open, fixes)
SELECT * FROM unnest(%(vehicle)s, %(zone)s, %(entered)s, %(left)s, %(is_open)s, %(fixes)s)
ON CONFLICT (vehicle_id, zone_id, entered_at) DO UPDATE SET
    left_at = excluded.left_at, is_open = excluded.is_open, fixes = excluded.fixes
WHERE (z.left_at, z.is_open, z.fixes) <> (excluded.left_at, excluded.is_open, excluded.fixes)

-- name: delete_since
-- Each vehicle's visits that began at its instant or later.
DELETE FROM zone_visits z
USING unnest(%(vehicle)s, %(since)s) AS k (vehicle_id, since)
WHERE z.vehicle_id = k.vehicle_id AND z.entered_at >= k.since
