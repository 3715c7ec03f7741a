"""Fixed routes and timetables of a GTFS feed (gtfs.org/documentation/schedule/reference).

Belongs here: reading the files of a feed, and what of them makes a route of the registry: two
directions, each with one path, its stops and its departures, between two terminals. What a feed
says beyond that is reported, never dropped silently.
"""
