-- TimescaleDB only: a continuous aggregate. Hours after the last refresh are worked out as they are
-- read.
CREATE MATERIALIZED VIEW fix_hours
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT f.vehicle_id, time_bucket(interval '1 hour', f.time) AS hour, <hour columns>
FROM fixes f
GROUP BY 1, 2
WITH NO DATA;
