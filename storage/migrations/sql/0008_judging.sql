-- Which judge's memory holds a vehicle. Whoever judges holds the row until the transaction ends, and a
-- judge that finds another one there trusts nothing that it remembers of the vehicle.
CREATE TABLE judging (
    vehicle_id integer PRIMARY KEY,
    judge      bigint NOT NULL   -- drawn by every process when it starts
) WITH (fillfactor = 50);
