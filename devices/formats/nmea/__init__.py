"""NMEA 0183: sentences of receivers, and the same embedded in the texts of trackers."""
