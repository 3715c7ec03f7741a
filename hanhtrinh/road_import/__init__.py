"""Reading maps into road networks: OpenStreetMap files, GeoJSON lines, and the file of a network.

Belongs here: formats of maps and what their attributes mean. The network is `geofence.roads`'s.
"""
