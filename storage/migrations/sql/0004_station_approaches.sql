-- Roads that lead by weigh stations, and when those are open: who leaves the road to avoid one.

ALTER TABLE weigh_stations
    ADD COLUMN approach     jsonb,             -- GeoJSON LineString; NULL: nobody is watched
    ADD COLUMN corridor_m   double precision CHECK (corridor_m > 0),
    ADD COLUMN is_two_way   boolean NOT NULL DEFAULT false,
    ADD COLUMN weekly_hours jsonb,             -- [["mon".."sun", "HH:MM", "HH:MM"]]; NULL: always
    ADD CHECK ((approach IS NULL) = (corridor_m IS NULL));
