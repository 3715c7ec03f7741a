-- One vehicle to a chassis number at a time, and what an import of drivers is compared with.

CREATE INDEX vehicles_vin ON vehicles (vin, valid_from) WHERE vin IS NOT NULL;

-- As before, but for keys that were NULL (a chassis number that becomes known is looked at), and for
-- COLUMN and HINT, by which programs tell which value it is.
CREATE OR REPLACE FUNCTION touch_spans() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    same text;
    kept text;
    found record;
BEGIN
    SELECT string_agg(format('t.%1$I = n.%1$I', key), ' AND ') INTO same FROM unnest(TG_ARGV) key;
    SELECT string_agg(format('o.%1$I IS NOT DISTINCT FROM n.%1$I', key), ' AND ') INTO kept
    FROM unnest(TG_ARGV) key;
    EXECUTE format(
        'SELECT to_jsonb(n) -> %L AS key, n.valid_from, n.valid_to FROM made n'
        || CASE TG_OP WHEN 'UPDATE' THEN
               ' JOIN was o ON o.id = n.id AND NOT (%s AND n.valid_from >= o.valid_from
                                                    AND n.valid_to <= o.valid_to)' ELSE '%s' END
        || ' WHERE EXISTS (SELECT FROM %s t WHERE %s AND t.id <> n.id
                           AND t.valid_from < t.valid_to
                           AND t.valid_from < n.valid_to AND t.valid_to > n.valid_from) LIMIT 1',
        TG_ARGV[0], CASE TG_OP WHEN 'UPDATE' THEN kept ELSE '' END, TG_RELID::regclass, same)
    INTO found;
    IF found.key IS NOT NULL THEN
        RAISE EXCEPTION 'two of % would hold at once', TG_TABLE_NAME
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME,
                  COLUMN = TG_ARGV[0], HINT = found.key #>> '{}',
                  DETAIL = format('%s %s from %s to %s', TG_ARGV[0], found.key #>> '{}',
                                  found.valid_from, found.valid_to);
    END IF;
    RETURN NULL;
END $$;

-- Overlaps from before this stay as they are until they are widened, as with plates.
CREATE TRIGGER touched_vin AFTER INSERT ON vehicles REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION touch_spans('vin', 'vin');
CREATE TRIGGER touched_vin_again AFTER UPDATE ON vehicles
    REFERENCING NEW TABLE AS made OLD TABLE AS was
    FOR EACH STATEMENT EXECUTE FUNCTION touch_spans('vin', 'vin');

-- Which of some names somebody has: asked when a unique index has refused a row, which it does
-- without a word where row-level security hides the one that has it.
CREATE FUNCTION taken_names(kind text, names text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT o.code FROM operators o
    WHERE kind = 'operator' AND o.code = ANY (names) AND (owns_registry() OR scope_can('register'))
    UNION ALL
    SELECT d.ident FROM devices d
    WHERE kind = 'device' AND d.ident = ANY (names) AND (owns_registry() OR scope_can('write'))
    UNION ALL
    SELECT w.code FROM weigh_stations w
    WHERE kind = 'station' AND w.code = ANY (names) AND (owns_registry() OR scope_can('register'));
END;
REVOKE EXECUTE ON FUNCTION taken_names(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taken_names(text, text[]) TO hanhtrinh_administrator, hanhtrinh_inspector,
    hanhtrinh_operator;

-- Registered drivers by licence, as they are: for callers who may know who drivers are, those in
-- their reach. What is compared with a name tells the name.
CREATE FUNCTION drivers_by_licence(licences text[])
RETURNS TABLE (id integer, licence text, name text, operator text, licence_class text,
               licence_until date)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT d.id, d.licence, d.name, o.code, d.licence_class, d.licence_until
    FROM drivers d LEFT JOIN operators o ON o.id = d.operator_id
    WHERE d.licence = ANY (licences) AND d.erased_at IS NULL
      AND (d.operator_id IS NOT NULL OR d.name IS NOT NULL)
      AND (owns_registry() OR (scope_can('personal') AND scope_can('write')
           AND (scope_is_national() OR d.operator_id = ANY (scope_operators()))));
END;
REVOKE EXECUTE ON FUNCTION drivers_by_licence(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drivers_by_licence(text[]) TO hanhtrinh_inspector, hanhtrinh_operator;
