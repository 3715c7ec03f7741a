-- Only where TimescaleDB is installed; runs between the schema and the security part, so that the
-- view of fixes is made over the hypertable. The primary key already is the index that is wanted.
SELECT create_hypertable('fixes', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
