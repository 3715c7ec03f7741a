-- Partitions -----------------------------------------------------------------------------------
-- Plain PostgreSQL only: on TimescaleDB nobody calls these. Days are numbers since 1970, UTC.

-- Where fixes of a day go. Days before this product was in use come from replays and from clocks
-- gone wrong: they share a partition a year, so that no tracker can make thousands of tables.
CREATE FUNCTION fix_partition(day integer, OUT name text, OUT since date, OUT until date)
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN day >= date '2025-01-01' - date '1970-01-01' THEN
    ROW('fixes_' || to_char((date '1970-01-01' + day)::timestamp, 'YYYYMMDD'),
        date '1970-01-01' + day, date '1970-01-01' + day + 1)
ELSE
    ROW('fixes_' || to_char((date '1970-01-01' + day)::timestamp, 'YYYY'),
        date_trunc('year', (date '1970-01-01' + day)::timestamp)::date,
        (date_trunc('year', (date '1970-01-01' + day)::timestamp) + interval '1 year')::date)
END;

-- Make the partitions of these days. ATTACH PARTITION lets others read and write the table
-- meanwhile, which CREATE TABLE ... PARTITION OF does not. The lock is the one that ATTACH takes
-- anyway, taken before looking, so that of two sessions that need one day the second finds it.
CREATE FUNCTION create_fix_days(days integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    LOCK TABLE fixes IN SHARE UPDATE EXCLUSIVE MODE;
    FOR part IN SELECT DISTINCT p.* FROM unnest(days) d, fix_partition(d) p ORDER BY p.since LOOP
        CONTINUE WHEN to_regclass(part.name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE fixes INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                       part.name);
        EXECUTE format('ALTER TABLE fixes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       part.name, to_char(part.since::timestamp, 'YYYY-MM-DD 00:00:00+00'),
                       to_char(part.until::timestamp, 'YYYY-MM-DD 00:00:00+00'));
    END LOOP;
END $$;
