-- What a vehicle weighs empty and what it may carry are together at most what it may weigh. Columns
-- are rounded to seven digits: a sum of them may be over by that, not by a kilogram.
-- What was registered before may be wrong, and can still be ended; nothing such comes after.
CREATE OR REPLACE FUNCTION name_registration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.first_id := coalesce(NEW.first_id, NEW.id);
    NEW.plate_raw := coalesce(NEW.plate_raw, NEW.plate);
    IF NOT coalesce(NEW.gross_kg > 0 AND NEW.gross_kg < 'infinity', true)
       OR NOT coalesce(NEW.kerb_kg > 0 AND NEW.kerb_kg < 'infinity', true)
       OR NOT coalesce(NEW.cargo_kg >= 0 AND NEW.cargo_kg < 'infinity', true)
       OR coalesce(NEW.kerb_kg, 0) + coalesce(NEW.cargo_kg, 0) >= NEW.gross_kg + 1
       OR NEW.axles < 1 THEN
        RAISE EXCEPTION 'masses that no vehicle has' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'vehicles_masses', TABLE = 'vehicles',
            DETAIL = format('gross %s kg, kerb %s kg, cargo %s kg, axles %s', NEW.gross_kg,
                            NEW.kerb_kg, NEW.cargo_kg, NEW.axles);
    END IF;
    RETURN NEW;
END $$;
