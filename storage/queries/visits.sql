-- name: upsert
-- Visits as far as they are known; one that has not changed is not touched.
INSERT INTO zone_visits AS z (vehicle_id, zone_id, entered_at, left_at, is_open, fixes)
SELECT * FROM unnest(%(vehicle)s, %(zone)s, %(entered)s, %(left)s, %(is_open)s, %(fixes)s)
ON CONFLICT (vehicle_id, zone_id, entered_at) DO UPDATE SET
    left_at = excluded.left_at, is_open = excluded.is_open, fixes = excluded.fixes
WHERE (z.left_at, z.is_open, z.fixes) <> (excluded.left_at, excluded.is_open, excluded.fixes)

-- name: delete_after
-- Each vehicle's visits that began after its last settled fix, and those that were pending then.
DELETE FROM zone_visits z
USING (
    SELECT v.vehicle_id, v.zone_id, v.entered_at
    FROM unnest(%(vehicle)s, %(settled)s) AS k (vehicle_id, settled)
    JOIN zone_visits v ON v.vehicle_id = k.vehicle_id AND v.entered_at > k.settled
    UNION
    SELECT p.vehicle_id, n.id, p.entered_at
    FROM unnest(%(pending_vehicle)s, %(pending_code)s::text[], %(pending_entered)s)
         AS p (vehicle_id, code, entered_at)
    JOIN zones n ON n.code = p.code
) gone
WHERE z.vehicle_id = gone.vehicle_id AND z.zone_id = gone.zone_id
  AND z.entered_at = gone.entered_at
