-- name: begin
-- Keep the days of this timezone from now on (migrations/sql/0020_days.sql).
SELECT begin_fix_days(%(zone)s, %(until)s)

-- name: roll_up
-- Store one day more of those that are over, and whether some are left.
SELECT roll_up_fix_day(%(until)s)

-- name: roll_up_changed
-- Store again the days of at most so many vehicles' hours that changed, and how many those were.
SELECT roll_up_changed_days(%(most)s)
