"""Roads: a network of segments with their limits, and matching fixes to it.

Belongs here: what is computed from arrays. Reading map files is `hanhtrinh.road_import`'s.
"""
