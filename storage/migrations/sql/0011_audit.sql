-- The audit: append-only, each row chained to the one before by its digest (docs/access.md).

CREATE TABLE audit (
    seq      bigint PRIMARY KEY,     -- 1, 2, 3, ... without a gap
    at       timestamptz NOT NULL,
    actor    text NOT NULL,          -- 'person an', 'key 7 depot', 'command root', 'nobody'
    address  text NOT NULL,          -- where the request came from; of a command: the host
    action   text NOT NULL,          -- what was done, such as put_zone
    subject  text NOT NULL,          -- to what
    detail   text NOT NULL,          -- a JSON object, kept as the text that was chained
    previous bytea NOT NULL,         -- hash of the row before; 32 zeros before the first
    hash     bytea NOT NULL
);

-- The end of the chain. Its lock puts writers in a line: it is taken last, just before the commit.
CREATE TABLE audit_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    seq    bigint NOT NULL,
    hash   bytea NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- A field with its length before it, so that no two rows make the same text.
CREATE FUNCTION audit_field(field text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN octet_length(field)::text || ':' || field || ',';

CREATE FUNCTION audit_append(actor text, address text, action text, subject text, detail text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now_us bigint;
    head audit_head;
    chained bytea;
BEGIN
    UPDATE audit_head SET seq = audit_head.seq + 1 RETURNING * INTO head;
    now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    chained := sha256(head.hash || convert_to(
        audit_field(head.seq::text) || audit_field(now_us::text) || audit_field(actor)
        || audit_field(address) || audit_field(action) || audit_field(subject)
        || audit_field(detail), 'UTF8'));
    INSERT INTO audit VALUES (head.seq, timestamptz 'epoch' + now_us * interval '1 microsecond',
                              actor, address, action, subject, detail, head.hash, chained);
    UPDATE audit_head SET hash = chained;
    RETURN head.seq;
END $$;

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

REVOKE EXECUTE ON FUNCTION audit_append(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append(text, text, text, text, text)
    TO hanhtrinh_gate, hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator,
       hanhtrinh_provider, hanhtrinh_reader;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON audit FOR SELECT TO hanhtrinh_administrator
    USING ((SELECT scope_can('audit')));
GRANT SELECT ON audit TO hanhtrinh_administrator;
