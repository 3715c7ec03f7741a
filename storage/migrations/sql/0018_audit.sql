-- The oldest rows of the audit may be taken out once they are kept elsewhere (docs/access.md).

-- Where the chain begins: the last row that was taken out. A row after it says so.
CREATE TABLE audit_start (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    seq    bigint NOT NULL,
    hash   bytea NOT NULL
);
INSERT INTO audit_start (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('hanhtrinh.audit_removal', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;

-- Take out the rows up to one; for the owner alone. Returns how many those were.
CREATE FUNCTION audit_remove(until bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    UPDATE audit_start s SET seq = a.seq, hash = a.hash FROM audit a WHERE a.seq = until;
    PERFORM set_config('hanhtrinh.audit_removal', 'on', true);
    DELETE FROM audit a WHERE a.seq <= until;
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM set_config('hanhtrinh.audit_removal', 'off', true);
    RETURN gone;
END $$;
REVOKE EXECUTE ON FUNCTION audit_remove(bigint) FROM PUBLIC;
