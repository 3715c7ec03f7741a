"""The grid behind `ZoneIndex`: cells that know which zones hold them wholly, or only in part.

Belongs here: everything between checked shapes and the zones of a point. docs/decisions says why.
"""
