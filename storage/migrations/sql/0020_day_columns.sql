-- What is kept of a vehicle's local day j, of its hours in order; `earlier` is the track of the hour
-- before with a clean fix. The track of a day is made like that of an hour (hour_track).
sum(j.fixes)::bigint AS fixes,
sum(j.clean_fixes)::bigint AS clean_fixes,
max(j.max_speed_kmh) AS max_speed_kmh,
CASE WHEN count(j.track) > 0 THEN ARRAY[
    sum(j.track[1] + coalesce(step_distance_m(j.length_m, j.gap_s), 0)),
    sum(j.track[2] + coalesce(step_driving_s(j.length_m, j.gap_s, j.track[7]), 0)),
    sum(j.track[3] + coalesce(step_silent_s(j.gap_s), 0))
] || min(j.track[4:7]) || max(j.track[8:10]) END AS track
