-- What tells who a driver is outside the registry: words and files of reviews, and what formats carry
-- beside fixes and weighings (docs/access.md).

CREATE INDEX violation_versions_driver ON violation_versions (((facts ->> 'driver_id')::integer));

-- Names under which formats carry who drives: keys and cards of drivers, telephones, and what they do
-- not take apart ("rest", "unstorable"), in which any of it may stand.
CREATE FUNCTION is_personal(key text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN key ~* 'driver|licen[cs]e|card|rfid|i-?button|phone|^(tag|rest|unstorable)$';

-- The same object with their values masked, at any depth.
CREATE FUNCTION without_driver(given jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM jsonb_path_query(given,
                       'strict $.** ? (@.type() == "object").keyvalue()') AS p (said)
                   WHERE is_personal(p.said ->> 'key')) THEN
        RETURN given;
    END IF;
    RETURN CASE jsonb_typeof(given)
        WHEN 'object' THEN (SELECT jsonb_object_agg(e.key, CASE
                WHEN e.value = 'null' THEN e.value
                WHEN is_personal(e.key) THEN '"***"' ELSE without_driver(e.value) END)
            FROM jsonb_each(given) e)
        ELSE (SELECT jsonb_agg(without_driver(e.value) ORDER BY e.place)
              FROM jsonb_array_elements(given) WITH ORDINALITY AS e (value, place)) END;
END $$;

-- What was carried while a driver drove that may tell who it was, for whoever may know.
CREATE FUNCTION marks_of_driver(driver integer)
RETURNS TABLE (key text, value text, times bigint, first_at timestamptz, last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT p.said ->> 'key', p.said ->> 'value', count(*), min(x.time), max(x.time)
    FROM drivers d
    JOIN driving_spans s ON s.driver_id = d.id
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
    WHERE d.id = driver AND scope_can('personal')
      AND (scope_is_national() OR (d.operator_id = ANY (scope_operators())
                                   AND v.operator_id = ANY (scope_operators())))
      AND is_personal(p.said ->> 'key') AND p.said -> 'value' <> 'null'
    GROUP BY 1, 2;
END;
REVOKE EXECUTE ON FUNCTION marks_of_driver(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION marks_of_driver(integer) TO hanhtrinh_inspector, hanhtrinh_operator;

-- Violations that name a driver, or did before they were revised.
CREATE FUNCTION violations_of_driver(driver integer) RETURNS SETOF bigint LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.id FROM violations v WHERE v.driver_id = driver
    UNION
    SELECT x.violation_id FROM violation_versions x
    WHERE (x.facts ->> 'driver_id')::integer = driver;
END;

-- Reviews are only added to, but for words that are forgotten with a driver.
CREATE OR REPLACE FUNCTION refuse_review_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'ROW' AND current_setting('hanhtrinh.erasure', true) = 'on' THEN
        IF NEW.text = '' AND to_jsonb(NEW) - 'text' = to_jsonb(OLD) - 'text' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'reviews are only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER append_only ON violation_reviews;
CREATE TRIGGER append_only BEFORE UPDATE ON violation_reviews
    FOR EACH ROW EXECUTE FUNCTION refuse_review_change();

-- The registry's history likewise: why a driver was changed may name him, too.
CREATE OR REPLACE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.kind = 'driver' AND NEW IS NOT DISTINCT FROM ROW(
            OLD.id, OLD.at, OLD.actor, '', OLD.kind, OLD.subject, OLD.operator_id,
            without_person(OLD.before), without_person(OLD.after))::registry_history THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the history of the registry is only ever added to'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE OR REPLACE FUNCTION forget_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE registry_history h SET reason = '', before = without_person(h.before),
                                  after = without_person(h.after)
    WHERE h.kind = 'driver' AND h.subject IN
        (SELECT n.id FROM made n WHERE n.erased_at IS NOT NULL);
    RETURN NULL;
END $$;

-- Erase what tells who a driver is. Journeys and violations stay, of a driver that nobody knows. Not
-- while a violation names the driver that has to be kept for `kept_days` (why: 'law', until
-- kept_until), or whose review waits for a decision, for which its words and files are needed ('review').
-- why NULL: erased, with so many words of reviews, files beside them, and extras of fixes and
-- weighings. No row: no such driver, or none that the caller may erase. Of violations that name
-- somebody else by now, words and files stay for as long as these are kept.
DROP FUNCTION erase_driver(integer, integer);
CREATE FUNCTION erase_driver(driver integer, kept_days integer)
RETURNS TABLE (why text, kept_until timestamptz, texts bigint, files bigint, extras bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kept interval := kept_days * interval '1 day';
    past bigint[];
    n bigint;
BEGIN
    PERFORM FROM drivers d WHERE d.id = driver AND scope_can('erase')
        AND (scope_is_national() OR d.operator_id = ANY (scope_operators())) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT 'law', max(v.ended_at) + kept INTO why, kept_until FROM violations v
    WHERE v.driver_id = driver AND v.status <> 'withdrawn' HAVING max(v.ended_at) + kept > now();
    IF NOT FOUND THEN
        SELECT 'review' INTO why FROM violations v
        WHERE v.driver_id = driver AND (v.review = 'appealed' OR v.proposal IS NOT NULL) LIMIT 1;
    END IF;
    IF why IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT coalesce(array_agg(v.id), '{}') INTO past
    FROM violations v JOIN violations_of_driver(driver) k ON v.id = k
    WHERE v.review <> 'appealed' AND v.proposal IS NULL
      AND (v.driver_id = driver OR v.ended_at + kept <= now());
    PERFORM set_config('hanhtrinh.erasure', 'on', true);
    UPDATE violation_reviews r SET text = '' WHERE r.violation_id = ANY (past) AND r.text <> '';
    GET DIAGNOSTICS texts = ROW_COUNT;
    PERFORM set_config('hanhtrinh.erasure', 'off', true);
    DELETE FROM violation_attachments a WHERE a.violation_id = ANY (past);
    GET DIAGNOSTICS files = ROW_COUNT;
    UPDATE fix_extras e SET extra = without_driver(e.extra) FROM driving_spans s
    WHERE s.driver_id = driver AND e.vehicle_id = s.vehicle_id
      AND e.time BETWEEN s.started_at AND s.ended_at AND e.extra <> without_driver(e.extra);
    GET DIAGNOSTICS extras = ROW_COUNT;
    UPDATE evidence_fixes e SET extra = without_driver(e.extra) FROM driving_spans s
    WHERE s.driver_id = driver AND e.vehicle_id = s.vehicle_id
      AND e.time BETWEEN s.started_at AND s.ended_at AND e.extra <> without_driver(e.extra);
    GET DIAGNOSTICS n = ROW_COUNT;
    extras := extras + n;
    UPDATE weighings w SET extra = without_driver(w.extra) FROM driving_spans s
    WHERE s.driver_id = driver AND w.vehicle_id = s.vehicle_id
      AND w.time BETWEEN s.started_at AND s.ended_at AND w.extra <> without_driver(w.extra);
    GET DIAGNOSTICS n = ROW_COUNT;
    extras := extras + n;
    UPDATE drivers d SET licence = 'erased ' || d.id, name = NULL,
                         erased_at = coalesce(d.erased_at, now()) WHERE d.id = driver;
    -- Workers forget the licence, too.
    UPDATE registry_version SET version = version + 1;
    RETURN NEXT;
END $$;
REVOKE EXECUTE ON FUNCTION erase_driver(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_driver(integer, integer)
    TO hanhtrinh_administrator, hanhtrinh_operator;
