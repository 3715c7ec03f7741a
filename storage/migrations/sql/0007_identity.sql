-- Who may log in at the broker, and by which secrets; what the quarantine counts without keeping it.

CREATE TABLE device_logins (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ident      text NOT NULL UNIQUE CHECK (length(ident) BETWEEN 1 AND 128),  -- the MQTT username
    kind       text NOT NULL CHECK (kind IN ('device', 'station', 'provider')),
    client_id  text NOT NULL UNIQUE,   -- the only MQTT client id that it may use
    created_at timestamptz NOT NULL DEFAULT now()
);

-- At most two of a login are in force: the newest, and the one before until its end.
CREATE TABLE device_secrets (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id    integer NOT NULL REFERENCES device_logins,
    iterations  integer NOT NULL CHECK (iterations > 0),   -- PBKDF2-SHA512, docs/identity.md
    salt        text NOT NULL,
    digest      bytea NOT NULL CHECK (length(digest) = 64),
    created_at  timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz NOT NULL DEFAULT 'infinity',
    revoked_at  timestamptz
);
CREATE INDEX device_secrets_login ON device_secrets (login_id);
CREATE INDEX device_secrets_revoked ON device_secrets (revoked_at) WHERE revoked_at IS NOT NULL;

-- Whoever answers the broker hears of a revocation as soon as it is committed.
CREATE FUNCTION tell_of_revocation() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('hanhtrinh_revoked', l.ident) FROM device_logins l WHERE l.id = NEW.login_id;
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER UPDATE OF revoked_at ON device_secrets FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION tell_of_revocation();

-- Quarantine -----------------------------------------------------------------------------------
-- `sender` is whom the topic names; the topic itself where it names nobody.
ALTER TABLE quarantine ADD COLUMN sender text;
UPDATE quarantine SET sender = CASE
    WHEN topic LIKE 'gsht/v1/%/%' OR topic LIKE 'weigh/v1/%/%' THEN split_part(topic, '/', 4)
    WHEN topic LIKE 'owntracks/%/%' THEN substr(topic, 11)
    WHEN topic LIKE '%/data' THEN split_part(topic, '/', 1)
    ELSE topic END;
ALTER TABLE quarantine ALTER COLUMN sender SET NOT NULL;
CREATE INDEX quarantine_sender ON quarantine (sender, reason, id) WHERE released_at IS NULL;
CREATE INDEX quarantine_released ON quarantine (released_at) WHERE released_at IS NOT NULL;
CREATE INDEX quarantine_last_seen ON quarantine (last_seen) WHERE released_at IS NULL;

-- Every arrival is counted here, whether its bytes were kept or not.
CREATE TABLE quarantine_counts (
    hour           timestamptz NOT NULL,   -- begins at a full hour, UTC
    reason         text NOT NULL,
    sender         text NOT NULL,
    messages       bigint NOT NULL,        -- arrivals
    payload_bytes  bigint NOT NULL,        -- of all of them
    kept           bigint NOT NULL,        -- of them became an entry of `quarantine`
    kept_bytes     bigint NOT NULL,
    repeats        bigint NOT NULL,        -- of them repeated an entry that was there
    first_received timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    PRIMARY KEY (hour, reason, sender)
);
INSERT INTO quarantine_counts
SELECT date_trunc('hour', received, 'UTC'), reason, sender, sum(seen),
       sum(seen::bigint * payload_bytes), count(*), sum(length(payload)), sum(seen - 1),
       min(received), max(last_seen)
FROM quarantine GROUP BY 1, 2, 3;

ALTER TABLE quarantine_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON quarantine_counts FOR SELECT TO hanhtrinh_api
    USING ((SELECT scope_is_inspector()));
GRANT SELECT ON quarantine_counts TO hanhtrinh_api;
GRANT SELECT (sender) ON quarantine TO hanhtrinh_api;
