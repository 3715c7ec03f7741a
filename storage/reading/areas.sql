-- name: fixes_in_box
-- The clean fixes in a box and a span of time, at most so many, as arrays in no order.
SELECT array_agg(f.vehicle_id), array_agg(f.time), array_agg(f.lon), array_agg(f.lat)
FROM (
    SELECT f.vehicle_id, f.time, f.lon, f.lat
    FROM visible_fixes f
    WHERE f.time >= %(from)s AND f.time < %(to)s
      AND f.lon >= %(west)s AND f.lon <= %(east)s AND f.lat >= %(south)s AND f.lat <= %(north)s
      AND f.quality & %(disqualifying)s = 0
    LIMIT %(rows)s
) f;
