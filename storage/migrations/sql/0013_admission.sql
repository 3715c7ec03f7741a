-- Who may be let in at a door that is not the broker's: registered, and not shut by a revocation. A login
-- without a secret in force shuts the device that it is of.

CREATE VIEW admitted AS
WITH shut AS (
    SELECT l.ident FROM device_logins l
    WHERE NOT EXISTS (SELECT FROM device_secrets s WHERE s.login_id = l.id
                      AND s.revoked_at IS NULL AND s.valid_until > now())
)
SELECT d.ident, 'device'::text AS kind FROM devices d
WHERE NOT EXISTS (SELECT FROM shut WHERE shut.ident = d.ident)
UNION ALL
SELECT w.code, 'station' FROM weigh_stations w
WHERE NOT EXISTS (SELECT FROM shut WHERE shut.ident = w.code)
UNION ALL
SELECT l.ident, 'provider' FROM device_logins l
WHERE l.kind = 'provider' AND NOT EXISTS (SELECT FROM shut WHERE shut.ident = l.ident);

-- Doors hear of every change as soon as it is committed: the name, or nothing where so many changed at
-- once that it is cheaper to read all of them anew.
CREATE FUNCTION tell_of_admission() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM changed) > 1000 THEN
        PERFORM pg_notify('hanhtrinh_admission', '');
    ELSE
        PERFORM pg_notify('hanhtrinh_admission', to_jsonb(c) ->> TG_ARGV[0]) FROM changed c;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_new AFTER INSERT ON devices REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('ident');
CREATE TRIGGER tell_of_gone AFTER DELETE ON devices REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('ident');
CREATE TRIGGER tell_of_new AFTER INSERT ON weigh_stations REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('code');
CREATE TRIGGER tell_of_gone AFTER DELETE ON weigh_stations REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('code');
CREATE TRIGGER tell_of_new AFTER INSERT ON device_logins REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_admission('ident');

CREATE FUNCTION tell_of_secrets() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM changed) > 1000 THEN
        PERFORM pg_notify('hanhtrinh_admission', '');
    ELSE
        PERFORM pg_notify('hanhtrinh_admission', l.ident)
        FROM changed c JOIN device_logins l ON l.id = c.login_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_new AFTER INSERT ON device_secrets REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_secrets();
CREATE TRIGGER tell_of_changed AFTER UPDATE ON device_secrets REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_secrets();
