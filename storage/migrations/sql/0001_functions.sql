-- Partitions -----------------------------------------------------------------------------------
-- Plain PostgreSQL: make the partitions of these days (numbers since 1970, UTC). ATTACH PARTITION
-- lets others read and write the table meanwhile, which CREATE TABLE ... PARTITION OF does not. The
-- lock is the one that ATTACH takes anyway, taken before looking, so that of two sessions that need
-- the same day one waits and then finds it. On TimescaleDB nobody calls this.
CREATE FUNCTION create_fix_days(days integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day date;
    part text;
BEGIN
    LOCK TABLE fixes IN SHARE UPDATE EXCLUSIVE MODE;
    FOR day IN SELECT DISTINCT date '1970-01-01' + d FROM unnest(days) d ORDER BY 1 LOOP
        part := 'fixes_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(quote_ident(part)) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE fixes INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
        EXECUTE format('ALTER TABLE fixes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       part, to_char(day, 'YYYY-MM-DD 00:00:00+00'),
                       to_char(day + 1, 'YYYY-MM-DD 00:00:00+00'));
    END LOOP;
END $$;
