-- People, their sessions, keys of programs, and what each role may do (docs/access.md).

-- Tables ---------------------------------------------------------------------------------------

-- Who runs devices for operators.
CREATE TABLE providers (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,   -- as topics name it
    name text NOT NULL
);
ALTER TABLE devices ADD COLUMN provider_id integer REFERENCES providers;
CREATE INDEX devices_provider ON devices (provider_id);

-- Which reach a role may have: the columns of people and of api_keys.
CREATE FUNCTION reach_fits(role text, operator_id integer, province text, provider_id integer)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE role
    WHEN 'administrator' THEN operator_id IS NULL AND province IS NULL AND provider_id IS NULL
    WHEN 'inspector' THEN operator_id IS NULL AND provider_id IS NULL
    WHEN 'operator' THEN operator_id IS NOT NULL AND province IS NULL AND provider_id IS NULL
    WHEN 'provider' THEN operator_id IS NULL AND province IS NULL AND provider_id IS NOT NULL
    WHEN 'reader' THEN provider_id IS NULL AND (operator_id IS NULL OR province IS NULL)
    ELSE false END;

-- What a role may do; a key may be given less.
CREATE FUNCTION abilities_of(role text, province text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE role
    WHEN 'administrator' THEN
        ARRAY['read', 'write', 'devices', 'quarantine', 'people', 'audit', 'erase']
    WHEN 'inspector' THEN CASE WHEN province IS NULL
        THEN ARRAY['read', 'write', 'devices', 'personal', 'quarantine']
        ELSE ARRAY['read', 'write', 'devices', 'personal'] END
    WHEN 'operator' THEN ARRAY['read', 'write', 'devices', 'personal', 'erase']
    WHEN 'provider' THEN ARRAY['devices']
    WHEN 'reader' THEN ARRAY['read', 'devices']
    ELSE ARRAY[]::text[] END;

CREATE TABLE people (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username        text NOT NULL UNIQUE CHECK (username ~ '^[a-z0-9][a-z0-9._@-]{1,63}$'),
    name            text NOT NULL DEFAULT '',
    role            text NOT NULL,
    operator_id     integer REFERENCES operators,
    province        text,                    -- as operators.province
    provider_id     integer REFERENCES providers,
    password        text,                    -- Argon2id; NULL: comes in by the identity provider only
    password_set_at timestamptz NOT NULL DEFAULT now(),
    must_change     boolean NOT NULL DEFAULT false,
    subject         text UNIQUE,             -- issuer and subject at the identity provider
    factor          bytea,                   -- the second factor's secret, sealed (api.secret)
    factor_since    timestamptz,             -- NULL: not proven yet, and not asked for
    factor_step     bigint NOT NULL DEFAULT 0,   -- the last one used: a code works once
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz,
    CHECK (reach_fits(role, operator_id, province, provider_id))
);

-- Passwords that a person had before, so that they do not come back.
CREATE TABLE past_passwords (
    person_id   integer NOT NULL REFERENCES people,
    replaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    password    text NOT NULL,
    PRIMARY KEY (person_id, replaced_at)
);

-- Wrong passwords in a row, whether there is somebody of that name or not.
CREATE TABLE login_failures (
    who          bytea PRIMARY KEY,          -- sha256 of the name that was given
    failures     integer NOT NULL,
    last_at      timestamptz NOT NULL,
    locked_until timestamptz NOT NULL
);

CREATE TABLE sessions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE,        -- sha256 of the cookie: 256 random bits
    person_id  integer NOT NULL REFERENCES people,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    idle_s     integer NOT NULL,             -- it ends when nothing was asked for so long
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    address    text NOT NULL,
    proven_by  text NOT NULL,                -- password, password+code, identity_provider
    is_limited boolean NOT NULL              -- until the password has been changed
);
CREATE INDEX sessions_person ON sessions (person_id) WHERE ended_at IS NULL;

-- Tokens become keys: with an end, a reach and a choice of what they may do.
ALTER TABLE api_tokens RENAME TO api_keys;
ALTER TABLE api_keys
    DROP CONSTRAINT api_tokens_role_check,
    DROP CONSTRAINT api_tokens_check,
    ADD COLUMN province    text,
    ADD COLUMN provider_id integer REFERENCES providers,
    ADD COLUMN person_id   integer REFERENCES people,   -- whose it is; NULL: a program's own
    ADD COLUMN scopes      text[],
    ALTER COLUMN expires_at DROP DEFAULT;
UPDATE api_keys SET scopes = abilities_of(role, NULL),
                    expires_at = least(expires_at, now() + interval '1 year');
ALTER TABLE api_keys
    ALTER COLUMN scopes SET NOT NULL,
    ADD CHECK (isfinite(expires_at)),
    ADD CHECK (reach_fits(role, operator_id, province, provider_id)),
    ADD CHECK (cardinality(scopes) > 0 AND scopes <@ abilities_of(role, province));
CREATE INDEX api_keys_person ON api_keys (person_id);

-- Scope ----------------------------------------------------------------------------------------
-- A transaction says by which secret's digest it was let in:
--     SELECT set_config('hanhtrinh.caller', '<sha256, hex>', true), set_config('role', ..., true)
-- Everything else follows from what the tables say of that digest at that moment. Whoever can set
-- a variable, but knows no secret in force, sees nothing.

-- A person's key goes on for as long as the person has the role and the reach that it was made with.
CREATE FUNCTION holder_of(wanted bytea)
RETURNS TABLE (kind text, id bigint, name text, role text, operator_id integer, province text,
               provider_id integer, person_id integer, abilities text[], is_limited boolean)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT 'key', k.id::bigint, k.name, k.role, k.operator_id, k.province, k.provider_id,
           k.person_id, k.scopes, false
    FROM api_keys k LEFT JOIN people p ON p.id = k.person_id
    WHERE k.digest = wanted AND k.revoked_at IS NULL AND k.expires_at > now()
      AND (k.person_id IS NULL OR (p.disabled_at IS NULL AND
           (k.role, k.operator_id, k.province, k.provider_id) IS NOT DISTINCT FROM
           (p.role, p.operator_id, p.province, p.provider_id)))
    UNION ALL
    SELECT 'session', s.id, p.username, p.role, p.operator_id, p.province, p.provider_id, p.id,
           CASE WHEN s.is_limited THEN ARRAY[]::text[] ELSE abilities_of(p.role, p.province) END,
           s.is_limited
    FROM sessions s JOIN people p ON p.id = s.person_id
    WHERE s.digest = wanted AND s.ended_at IS NULL AND s.expires_at > now()
      AND s.seen_at + s.idle_s * interval '1 second' > now() AND p.disabled_at IS NULL;
END;
REVOKE EXECUTE ON FUNCTION holder_of(bytea) FROM PUBLIC;

CREATE FUNCTION scope_digest() RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN decode(nullif(current_setting('hanhtrinh.caller', true), ''), 'hex');

CREATE FUNCTION scope_can(ability text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN coalesce((SELECT ability = ANY (h.abilities) FROM holder_of(scope_digest()) h), false);

-- Whether every operator's vehicles may be seen.
CREATE FUNCTION scope_is_national() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN coalesce((SELECT h.role IN ('administrator', 'inspector', 'reader') AND
                        h.operator_id IS NULL AND h.province IS NULL AND 'read' = ANY (h.abilities)
                 FROM holder_of(scope_digest()) h), false);

-- The operators whose vehicles may be seen, where it is not all of them; an array, so that an index
-- on operator_id can be used.
CREATE FUNCTION scope_operators() RETURNS integer[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN coalesce((SELECT CASE WHEN h.operator_id IS NOT NULL THEN ARRAY[h.operator_id]
                        ELSE (SELECT array_agg(o.id) FROM operators o
                              WHERE o.province = h.province) END
                 FROM holder_of(scope_digest()) h WHERE 'read' = ANY (h.abilities)),
                ARRAY[]::integer[]);

CREATE FUNCTION scope_provider() RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN (SELECT h.provider_id FROM holder_of(scope_digest()) h);

CREATE FUNCTION scope_person() RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN (SELECT h.person_id FROM holder_of(scope_digest()) h WHERE h.kind = 'session');

CREATE OR REPLACE FUNCTION scope_is_set() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN scope_can('read');

-- Policies: every table that names a vehicle is seen as the vehicle is.
DO $$
DECLARE
    seen regclass;
BEGIN
    FOR seen IN
        SELECT p.polrelid::regclass FROM pg_policy p
        JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attname = 'vehicle_id'
        WHERE p.polname = 'visible' AND NOT a.attisdropped
    LOOP
        EXECUTE format($policy$ALTER POLICY visible ON %s
            USING ((SELECT scope_is_national()) OR vehicle_id IN
                   (SELECT v.id FROM vehicles v
                    WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[])))
        $policy$, seen);
    END LOOP;
END $$;

ALTER POLICY visible ON operators
    USING ((SELECT scope_is_national()) OR id = ANY ((SELECT scope_operators())::integer[]));
ALTER POLICY visible ON vehicles
    USING ((SELECT scope_is_national()) OR operator_id = ANY ((SELECT scope_operators())::integer[]));
ALTER POLICY visible ON drivers
    USING ((SELECT scope_is_national()) OR operator_id = ANY ((SELECT scope_operators())::integer[]));
ALTER POLICY visible ON devices
    USING ((SELECT scope_is_national()) OR id IN (SELECT device_id FROM device_assignments)
           OR provider_id = (SELECT scope_provider()));
ALTER POLICY visible ON violation_versions
    USING ((SELECT scope_is_national()) OR
           EXISTS (SELECT FROM violations v WHERE v.id = violation_id));

DO $$
DECLARE
    owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['zones', 'routes'] LOOP
        EXECUTE format($policy$ALTER POLICY visible ON %I
            USING ((SELECT scope_is_national())
                   OR operator_id = ANY ((SELECT scope_operators())::integer[])
                   OR (operator_id IS NULL AND (SELECT scope_is_set())))$policy$, owned);
        EXECUTE format($policy$ALTER POLICY made ON %I
            WITH CHECK ((SELECT scope_can('write')) AND ((SELECT scope_is_national())
                   OR operator_id = ANY ((SELECT scope_operators())::integer[])))$policy$, owned);
        EXECUTE format($policy$ALTER POLICY changed ON %I
            USING ((SELECT scope_can('write')) AND ((SELECT scope_is_national())
                   OR operator_id = ANY ((SELECT scope_operators())::integer[])))$policy$, owned);
    END LOOP;
    FOREACH owned IN ARRAY ARRAY['route_stops', 'route_slots'] LOOP
        EXECUTE format($policy$ALTER POLICY made ON %I
            WITH CHECK ((SELECT scope_can('write')) AND route_id IN
                (SELECT r.id FROM routes r WHERE (SELECT scope_is_national())
                 OR r.operator_id = ANY ((SELECT scope_operators())::integer[])))$policy$, owned);
    END LOOP;
END $$;

-- What could not be used belongs to nobody that is known; a provider sees its own feed's counts.
ALTER POLICY visible ON quarantine USING ((SELECT scope_can('quarantine')));
ALTER POLICY visible ON quarantine_counts USING ((SELECT scope_can('quarantine')));

CREATE OR REPLACE VIEW visible_fixes WITH (security_barrier) AS
SELECT f.*, x.extra
FROM fixes f
LEFT JOIN fix_extras x ON x.vehicle_id = f.vehicle_id AND x.time = f.time
WHERE (SELECT scope_is_national())
   OR f.vehicle_id IN (SELECT v.id FROM vehicles v
                       WHERE v.operator_id = ANY ((SELECT scope_operators())::integer[]));

-- What a policy still asks in the old words stops the migration here.
DROP FUNCTION authenticate_token(bytea);
DROP FUNCTION scope_operator();
DROP FUNCTION scope_is_inspector();

-- Health of devices: when each was last heard of, and what of it could not be used today and
-- yesterday. Whose the vehicle is, and where, is not for its provider.
CREATE VIEW device_health WITH (security_barrier) AS
SELECT d.id, d.ident, d.codec, p.code AS provider, l.time AS last_fix_at,
       l.received AS last_received_at,
       (SELECT coalesce(sum(c.messages), 0)::bigint FROM quarantine_counts c
        WHERE c.sender = d.ident
          AND c.hour >= date_trunc('hour', now() - interval '24 hours', 'UTC')) AS refused_24h
FROM devices d
LEFT JOIN providers p ON p.id = d.provider_id
LEFT JOIN device_assignments a ON a.device_id = d.id AND a.valid_from <= now() AND a.valid_to > now()
LEFT JOIN vehicles v ON v.id = a.vehicle_id
LEFT JOIN latest l ON l.vehicle_id = a.vehicle_id
WHERE (SELECT scope_can('devices')) AND ((SELECT scope_is_national())
   OR v.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR d.provider_id = (SELECT scope_provider()));

-- Grants ---------------------------------------------------------------------------------------

GRANT SELECT ON alembic_version TO PUBLIC;
REVOKE INSERT, UPDATE (valid_to) ON zones, routes FROM hanhtrinh_api;
REVOKE INSERT ON route_stops, route_slots FROM hanhtrinh_api;
REVOKE SELECT ON quarantine_counts FROM hanhtrinh_api;
REVOKE SELECT (received, reason, seen, last_seen, released_at, sender) ON quarantine
    FROM hanhtrinh_api;

GRANT USAGE ON SCHEMA public TO hanhtrinh_gate, hanhtrinh_provider;
GRANT EXECUTE ON FUNCTION holder_of(bytea) TO hanhtrinh_gate;
GRANT SELECT ON people, past_passwords, login_failures TO hanhtrinh_gate;
GRANT SELECT (id, digest, person_id, seen_at, ended_at, expires_at), DELETE ON sessions TO hanhtrinh_gate;
GRANT UPDATE (password, password_set_at, must_change, subject, factor, factor_since, factor_step) ON people
    TO hanhtrinh_gate;
GRANT INSERT, DELETE ON past_passwords, login_failures TO hanhtrinh_gate;
GRANT UPDATE ON login_failures TO hanhtrinh_gate;
GRANT INSERT, UPDATE (seen_at, ended_at, is_limited) ON sessions TO hanhtrinh_gate;

GRANT INSERT, UPDATE (valid_to) ON zones, routes
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
GRANT INSERT ON route_stops, route_slots
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
GRANT SELECT ON quarantine_counts TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT SELECT (received, reason, seen, last_seen, released_at, sender) ON quarantine
    TO hanhtrinh_administrator, hanhtrinh_inspector;
GRANT SELECT ON device_health TO hanhtrinh_api, hanhtrinh_provider;

-- An administrator makes people and ends them, and never reads a password's digest.
GRANT SELECT ON providers TO hanhtrinh_api, hanhtrinh_provider;
GRANT SELECT (id, code) ON operators TO hanhtrinh_provider;
GRANT SELECT (id, username, name, role, operator_id, province, provider_id, password_set_at,
              must_change, subject, factor_since, created_at, disabled_at),
      INSERT (username, name, role, operator_id, province, provider_id, password, must_change),
      UPDATE (disabled_at) ON people TO hanhtrinh_administrator;
GRANT SELECT (id, person_id, ended_at), UPDATE (ended_at) ON sessions TO hanhtrinh_administrator;

GRANT SELECT (id, name, role, operator_id, province, provider_id, person_id, scopes, created_at,
              expires_at, revoked_at),
      INSERT (name, digest, role, operator_id, province, provider_id, person_id, scopes, expires_at),
      UPDATE (revoked_at) ON api_keys
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator, hanhtrinh_provider,
       hanhtrinh_reader;

ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY proven ON people TO hanhtrinh_gate USING (true);
CREATE POLICY managed ON people TO hanhtrinh_administrator USING ((SELECT scope_can('people')));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY proven ON sessions TO hanhtrinh_gate USING (true);
CREATE POLICY managed ON sessions TO hanhtrinh_administrator USING ((SELECT scope_can('people')));
ALTER TABLE providers ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON providers TO hanhtrinh_api, hanhtrinh_provider
    USING ((SELECT scope_can('people')) OR id = (SELECT scope_provider()));

-- Names of people whom the caller may know: all of them, or itself.
CREATE FUNCTION person_name(person integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
RETURN (SELECT p.username FROM people p
        WHERE p.id = person AND (scope_can('people') OR p.id = scope_person()));

-- People make keys for themselves, that can do no more than they; administrators for programs.
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON api_keys FOR SELECT USING
    ((SELECT scope_can('people')) OR person_id = (SELECT scope_person()));
CREATE POLICY ended ON api_keys FOR UPDATE USING
    ((SELECT scope_can('people')) OR person_id = (SELECT scope_person()));
CREATE POLICY made ON api_keys FOR INSERT WITH CHECK
    ((person_id IS NULL AND (SELECT scope_can('people')))
     OR person_id = (SELECT scope_person()));
