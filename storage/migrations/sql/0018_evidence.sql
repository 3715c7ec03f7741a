-- Fixes outlive a year only where a violation rests on them (docs/decisions/0029).

-- Copies, with what their formats carried, made in the transaction that deletes the fixes of their
-- time. The columns are those of fixes, in the same order.
CREATE TABLE evidence_fixes (LIKE fixes, extra jsonb, PRIMARY KEY (vehicle_id, time));
CREATE INDEX evidence_fixes_time ON evidence_fixes USING brin (time);

ALTER TABLE evidence_fixes ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON evidence_fixes TO hanhtrinh_api
    USING ((SELECT scope_is_national()) OR vehicle_id IN
           (SELECT v.id FROM vehicles v
            WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[])));
GRANT SELECT ON evidence_fixes TO hanhtrinh_api;

-- One row. The fixes before this instant have been deleted: what was concluded from them stands.
CREATE TABLE fix_horizon (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    fixes_from timestamptz NOT NULL
);
INSERT INTO fix_horizon (fixes_from) VALUES ('-infinity');

-- What is deleted by its age is found by it: rows are written nearly in order of time.
CREATE INDEX weighings_time ON weighings USING brin (time);
CREATE INDEX zone_visits_time ON zone_visits USING brin (entered_at);
CREATE INDEX route_trips_time ON route_trips USING brin (departed_at);
CREATE INDEX driving_spans_time ON driving_spans USING brin (started_at);
