-- TimescaleDB only. A vehicle's fixes are kept as columns, a thousand in a row, in order of time.
-- Each such row knows its first and last instant, and with the sparse indexes the box that it lies
-- in: a question about an area opens the few whose box and time meet it (docs/decisions/0021).
ALTER TABLE fixes SET (
    timescaledb.enable_columnstore = true,
    timescaledb.segmentby = 'vehicle_id',
    timescaledb.orderby = 'time',
    timescaledb.sparse_index = 'minmax(lon), minmax(lat)'
);
-- Six hours of 50,000 vehicles at a fix in ten seconds are 108 million rows, 14 GB: chunks to come.
SELECT set_chunk_time_interval('fixes', INTERVAL '6 hours');
