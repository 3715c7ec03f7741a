-- Fixes arrive nearly in order of time: this small index finds those of ten minutes of all vehicles.
-- Building it reads the table once; whoever writes to a partition waits for as long as that takes.
CREATE INDEX fixes_time ON fixes USING brin (time timestamptz_minmax_multi_ops)
    WITH (pages_per_range = 32);
-- What hangs on fixes is deleted with them, by time.
CREATE INDEX fix_extras_time ON fix_extras USING brin (time);
