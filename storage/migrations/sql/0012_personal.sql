-- Personal data: names and licences of drivers (docs/access.md).

ALTER TABLE drivers ADD COLUMN erased_at timestamptz;

-- What is shown where the role does not need the whole: the end of a licence, the beginning of a name.
CREATE FUNCTION masked_licence(licence text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length(licence) > 5 THEN repeat('*', length(licence) - 3) || right(licence, 3)
            ELSE '***' END;
CREATE FUNCTION masked_name(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(name, 1) || '***';

-- No security barrier, so that one driver is looked up by its id: nothing of a row can be told
-- apart by an error, because each column says by itself whether it may be seen.
CREATE VIEW visible_drivers AS
SELECT d.id, d.operator_id, d.erased_at,
       CASE WHEN (SELECT scope_can('personal')) AND ((SELECT scope_is_national())
                 OR d.operator_id = ANY ((SELECT scope_operators())::integer[]))
            THEN d.licence ELSE masked_licence(d.licence) END AS licence,
       CASE WHEN (SELECT scope_can('personal')) AND ((SELECT scope_is_national())
                 OR d.operator_id = ANY ((SELECT scope_operators())::integer[]))
            THEN d.name ELSE masked_name(d.name) END AS name
FROM drivers d
WHERE (SELECT scope_is_national()) OR d.operator_id = ANY ((SELECT scope_operators())::integer[]);

REVOKE SELECT ON drivers FROM hanhtrinh_api;
GRANT SELECT ON visible_drivers TO hanhtrinh_api;

-- Erase what tells who a driver is. Journeys and violations stay, of a driver that nobody knows.
-- Not while a violation that has to be kept for `kept_days` names the driver: then the end of that.
-- kept_until NULL: erased. No row: no such driver, or none that the caller may erase.
CREATE FUNCTION erase_driver(driver integer, kept_days integer)
RETURNS TABLE (kept_until timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest timestamptz;
BEGIN
    PERFORM FROM drivers d WHERE d.id = driver AND scope_can('erase')
        AND (scope_is_national() OR d.operator_id = ANY (scope_operators())) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT max(v.ended_at) INTO newest FROM violations v
    WHERE v.driver_id = driver AND v.status <> 'withdrawn';
    IF newest + kept_days * interval '1 day' > now() THEN
        RETURN QUERY SELECT newest + kept_days * interval '1 day';
        RETURN;
    END IF;
    UPDATE drivers d SET licence = 'erased ' || d.id, name = NULL,
                         erased_at = coalesce(d.erased_at, now()) WHERE d.id = driver;
    -- Workers forget the licence, too.
    UPDATE registry_version SET version = version + 1;
    RETURN QUERY SELECT NULL::timestamptz;
END $$;
REVOKE EXECUTE ON FUNCTION erase_driver(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_driver(integer, integer)
    TO hanhtrinh_administrator, hanhtrinh_operator;
