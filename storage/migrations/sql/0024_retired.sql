-- What is retired is let in by no broker: its secrets end with it, and whoever answers brokers hears of
-- each (`tell_of_revocation`). Arguments: the column that names it, and the kind of its login.
CREATE FUNCTION revoke_retired() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_secrets s SET revoked_at = clock_timestamp()
    FROM device_logins l
    WHERE l.id = s.login_id AND l.ident = to_jsonb(NEW) ->> TG_ARGV[0] AND l.kind = TG_ARGV[1]
      AND s.revoked_at IS NULL AND s.valid_until > now();
    RETURN NULL;
END $$;
CREATE TRIGGER revoke_retired AFTER UPDATE ON devices FOR EACH ROW
    WHEN (OLD.retired_at IS NULL AND NEW.retired_at IS NOT NULL)
    EXECUTE FUNCTION revoke_retired('ident', 'device');
CREATE TRIGGER revoke_retired AFTER UPDATE ON weigh_stations FOR EACH ROW
    WHEN (OLD.retired_at IS NULL AND NEW.retired_at IS NOT NULL)
    EXECUTE FUNCTION revoke_retired('code', 'station');

-- Those that were retired before.
UPDATE device_secrets s SET revoked_at = clock_timestamp()
FROM device_logins l
WHERE l.id = s.login_id AND s.revoked_at IS NULL AND s.valid_until > now()
  AND (l.kind, l.ident) IN (
    SELECT 'device', d.ident FROM devices d WHERE d.retired_at IS NOT NULL
    UNION ALL
    SELECT 'station', w.code FROM weigh_stations w WHERE w.retired_at IS NOT NULL);
