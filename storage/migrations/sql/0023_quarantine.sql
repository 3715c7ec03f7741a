-- Drivers in messages that nobody could read: found by what they are called, and taken out with them
-- (docs/access.md).

ALTER TABLE quarantine ADD COLUMN emptied_at timestamptz;   -- it named a driver who was erased

-- Values under names that may tell who drove, carried while a driver did; with whose vehicle it was.
CREATE FUNCTION carried_with(driver integer)
RETURNS TABLE (key text, value text, "time" timestamptz, operator_id integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.said ->> 'key', p.said ->> 'value', x.time, v.operator_id
    FROM driving_spans s
    JOIN vehicles v ON v.id = s.vehicle_id
    CROSS JOIN LATERAL (
        SELECT e.time, e.extra FROM fix_extras e
        WHERE e.vehicle_id = s.vehicle_id AND e.time BETWEEN s.started_at AND s.ended_at
        UNION ALL
        SELECT e.time, e.extra FROM evidence_fixes e
        WHERE e.vehicle_id = s.vehicle_id AND e.time BETWEEN s.started_at AND s.ended_at
          AND e.extra IS NOT NULL
        UNION ALL
        SELECT w.time, w.extra FROM weighings w
        WHERE w.vehicle_id = s.vehicle_id AND w.time BETWEEN s.started_at AND s.ended_at
          AND w.extra IS NOT NULL
    ) x
    CROSS JOIN LATERAL jsonb_path_query(
        x.extra, 'strict $.** ? (@.type() == "object").keyvalue()') AS p (said)
    WHERE s.driver_id = driver
      AND is_personal(p.said ->> 'key') AND p.said -> 'value' <> 'null';
END;
REVOKE EXECUTE ON FUNCTION carried_with(integer) FROM PUBLIC;

-- The same, for whoever may know, counted.
CREATE OR REPLACE FUNCTION marks_of_driver(driver integer)
RETURNS TABLE (key text, value text, times bigint, first_at timestamptz, last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT c.key, c.value, count(*), min(c.time), max(c.time)
    FROM drivers d CROSS JOIN LATERAL carried_with(d.id) c
    WHERE d.id = driver AND scope_can('personal')
      AND (scope_is_national() OR (d.operator_id = ANY (scope_operators())
                                   AND c.operator_id = ANY (scope_operators())))
    GROUP BY 1, 2;
END;

-- What a driver is called in messages: the licence, and keys and cards that were carried while the
-- driver drove. NULL: nobody whom the caller may know or erase, or one who is erased.
CREATE FUNCTION names_of_driver(driver integer) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT array_agg(DISTINCT n.name)
    FROM drivers d CROSS JOIN LATERAL (
        SELECT d.licence AS name
        UNION ALL
        SELECT c.value FROM carried_with(d.id) c WHERE c.key ~* 'driver|card|rfid|i-?button'
    ) n
    WHERE d.id = driver AND d.erased_at IS NULL AND (scope_can('personal') OR scope_can('erase'))
      AND (scope_is_national() OR d.operator_id = ANY (scope_operators()));
END;
REVOKE EXECUTE ON FUNCTION names_of_driver(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION names_of_driver(integer) TO hanhtrinh_inspector;

-- How formats write such names: as text; as text in base64, wherever in it they begin; as bytes of
-- which each hexadecimal digit is a half; as the bytes of a whole number. Bytes with either end first.
-- What is too short or too plain to tell one driver is left out: fewer than five digits (of
-- hexadecimal: than eight), or bytes that could be anything.
CREATE FUNCTION written_forms(names text[]) RETURNS bytea[] LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH n AS (
        SELECT n.name, convert_to(n.name, 'UTF8') AS said,
               n.name ~ '^[[:xdigit:]]+$' AND length(ltrim(n.name, '0')) >= 8 AS is_hex,
               n.name ~ '^\d{8,18}$' AS is_whole
        FROM unnest(names) n (name)
        WHERE length(n.name) BETWEEN 6 AND 64 AND n.name !~ '^(.)\1*$'
          AND (n.name ~ '(\d\D*){5}' OR n.name ~ '^[[:xdigit:]]{8,}$')
    ), bytes AS (
        SELECT decode(repeat('0', length(n.name) % 2) || n.name, 'hex') AS said FROM n WHERE n.is_hex
        UNION ALL
        SELECT decode(repeat('0', length(h) % 2) || h, 'hex')
        FROM n CROSS JOIN LATERAL to_hex(CASE WHEN n.is_whole THEN n.name::bigint END) h
        WHERE length(h) >= 7
    ), forms AS (
        SELECT n.said FROM n
        UNION ALL
        -- The last character may hold bits of what comes next.
        SELECT convert_to(substr(
                   translate(encode(a.bytes || n.said || set_byte('\x00', 0, next << 4), 'base64'),
                             E'\n', ''),
                   a.first, (8 * length(a.bytes || n.said) + 5) / 6 - a.first + 1), 'UTF8')
        FROM n
        CROSS JOIN (VALUES (bytea '', 1), ('\x00', 3), ('\x0000', 4)) a (bytes, first)
        CROSS JOIN generate_series(0, 15) next
        UNION ALL
        SELECT b.said FROM bytes b
        UNION ALL
        SELECT (SELECT string_agg(substr(b.said, i, 1), '' ORDER BY i DESC)
                FROM generate_series(1, length(b.said)) i)
        FROM bytes b
    )
    SELECT coalesce(array_agg(DISTINCT f.said), '{}') FROM forms f;
END;

-- A search of the quarantine goes in steps, of so many entries and bytes: the last entry of the step
-- after one. NULL: there are none.
CREATE FUNCTION quarantine_step(after bigint, most integer, most_bytes bigint) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT max(s.id)
    FROM (
        SELECT q.id, sum(length(q.payload)) OVER (ORDER BY q.id) - length(q.payload) AS ahead
        FROM quarantine q WHERE q.id > after ORDER BY q.id LIMIT most
    ) s
    WHERE s.ahead < most_bytes;
END;
REVOKE EXECUTE ON FUNCTION quarantine_step(bigint, integer, bigint) FROM PUBLIC;

-- Entries of a step whose bytes or words have one of these names, and where first, from 1. What the
-- sender calls itself is no driver's name.
CREATE FUNCTION quarantined_with(names text[], after bigint, until bigint)
RETURNS TABLE (id bigint, place integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH w AS MATERIALIZED (SELECT written_forms(names) AS forms)
    SELECT f.id, f.place
    FROM (
        SELECT q.id, (SELECT min(position(form IN q.bytes)) FROM unnest(w.forms) form
                      WHERE position(form IN q.bytes) > 0) AS place
        FROM w CROSS JOIN (
            -- Put together once, and so unpacked once.
            SELECT q.id, q.payload || convert_to(q.detail, 'UTF8') AS bytes
            FROM quarantine q
            WHERE q.id > after AND q.id <= until
              AND q.sender <> ALL (names) AND q.ident <> ALL (names)
            OFFSET 0
        ) q
        OFFSET 0
    ) f
    WHERE f.place IS NOT NULL;
END;
REVOKE EXECUTE ON FUNCTION quarantined_with(text[], bigint, bigint) FROM PUBLIC;

-- A step of a search by somebody who may see what is quarantined, and who drivers are: `until` is where
-- it ended, in a row of its own where nothing was found. At most 4 KiB of each, around the first place.
CREATE FUNCTION find_in_quarantine(names text[], after bigint, most integer, most_bytes bigint)
RETURNS TABLE (until bigint, id bigint, received timestamptz, last_seen timestamptz, topic text,
               reason text, payload_bytes integer, digest bytea, skipped integer, excerpt bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    WITH s AS MATERIALIZED (
        SELECT quarantine_step(after, most, most_bytes) AS until
        WHERE scope_can('personal') AND scope_can('quarantine')
    )
    SELECT s.until, q.id, q.received, q.last_seen, q.topic, q.reason, q.payload_bytes, q.digest,
           x.skipped, substr(q.payload, x.skipped + 1, 4096)
    FROM s
    LEFT JOIN LATERAL quarantined_with(names, after, s.until) f ON true
    LEFT JOIN quarantine q ON q.id = f.id
    CROSS JOIN LATERAL (SELECT greatest(0, least(f.place - 2048, length(q.payload) - 4096))) x (skipped)
    WHERE s.until IS NOT NULL
    ORDER BY q.id;
END;
REVOKE EXECUTE ON FUNCTION find_in_quarantine(text[], bigint, integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_in_quarantine(text[], bigint, integer, bigint) TO hanhtrinh_inspector;

-- Erased drivers whose names upkeep has yet to look for. The row goes with the last step.
CREATE TABLE erased_names (
    driver_id integer PRIMARY KEY REFERENCES drivers,
    names     text[] NOT NULL,
    reached   bigint NOT NULL DEFAULT 0,   -- entries up to this one have been looked at
    until     bigint                       -- the last that has to be; NULL: it has not begun
);

-- As before, and what the driver was called is left for upkeep to look for.
ALTER FUNCTION erase_driver(integer, integer) RENAME TO erase_registered_driver;
REVOKE EXECUTE ON FUNCTION erase_registered_driver(integer, integer)
    FROM hanhtrinh_administrator, hanhtrinh_operator;
CREATE FUNCTION erase_driver(driver integer, kept_days integer)
RETURNS TABLE (why text, kept_until timestamptz, texts bigint, files bigint, extras bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    names text[] := names_of_driver(driver);   -- before they are masked
BEGIN
    FOR why, kept_until, texts, files, extras IN
        SELECT * FROM erase_registered_driver(driver, kept_days)
    LOOP
        IF why IS NULL AND names IS NOT NULL THEN
            INSERT INTO erased_names (driver_id, names) VALUES (driver, names);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION erase_driver(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_driver(integer, integer)
    TO hanhtrinh_administrator, hanhtrinh_operator;

-- One step of the search for an erased driver: messages that name the driver lose their bytes, and the
-- words about them. How many, up to which entry, and whether it was the last step. No row: nobody is
-- looked for.
CREATE FUNCTION forget_in_quarantine(most integer, most_bytes bigint)
RETURNS TABLE (driver integer, emptied bigint, reached bigint, is_over boolean)
LANGUAGE plpgsql AS $$
DECLARE
    search erased_names;
BEGIN
    SELECT n.* INTO search FROM erased_names n ORDER BY n.driver_id LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    driver := search.driver_id;
    emptied := 0;
    IF search.until IS NULL THEN
        -- Whoever writes has ended then: no entry of a lower number comes after.
        LOCK TABLE quarantine IN SHARE MODE;
        UPDATE erased_names n SET until = (SELECT coalesce(max(q.id), 0) FROM quarantine q)
        WHERE n.driver_id = driver;
        reached := search.reached;
        is_over := false;
        RETURN NEXT;
        RETURN;
    END IF;
    reached := least(quarantine_step(search.reached, most, most_bytes), search.until);
    UPDATE quarantine q SET payload = '', emptied_at = now(),
                            detail = 'it named a driver who was erased'
    FROM quarantined_with(search.names, search.reached, forget_in_quarantine.reached) f
    WHERE q.id = f.id;
    GET DIAGNOSTICS emptied = ROW_COUNT;
    is_over := reached >= search.until;
    IF is_over THEN
        DELETE FROM erased_names n WHERE n.driver_id = driver;
    ELSE
        UPDATE erased_names n SET reached = forget_in_quarantine.reached WHERE n.driver_id = driver;
    END IF;
    RETURN NEXT;
END $$;
REVOKE EXECUTE ON FUNCTION forget_in_quarantine(integer, bigint) FROM PUBLIC;
