"""hanhtrinh: the command line, settings, embedded services, and the wiring of all parts."""
