-- What is kept of the fixes f of a vehicle and hour. 29: bits that keep a fix from being clean
-- (devices.batch.DISQUALIFYING); 64: its speed is implausible.
count(*) AS fixes,
count(*) FILTER (WHERE f.quality & 29 = 0) AS clean_fixes,
max(f.speed_kmh) FILTER (WHERE f.quality & 93 = 0 AND f.speed_kmh <> 'NaN') AS max_speed_kmh,
hour_track(
    array_agg(f.time) FILTER (WHERE f.quality & 29 = 0),
    array_agg(f.lon) FILTER (WHERE f.quality & 29 = 0),
    array_agg(f.lat) FILTER (WHERE f.quality & 29 = 0),
    array_agg(CASE WHEN f.quality & 64 = 0 THEN f.speed_kmh ELSE 'NaN' END)
        FILTER (WHERE f.quality & 29 = 0)) AS track
