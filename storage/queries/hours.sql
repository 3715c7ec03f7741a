-- name: now
-- The server's clock.
SELECT clock_timestamp()

-- name: mark_changed
-- Hours of vehicles that must be rolled up again.
INSERT INTO fix_hours_changed (vehicle_id, hour)
SELECT k.* FROM unnest(%(vehicle)s, %(hour)s) AS k (vehicle_id, hour)
