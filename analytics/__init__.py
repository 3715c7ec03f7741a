"""What a vehicle did, from its fixes: stops, trips, distances.

Belongs here: functions over arrays of fixes that say what a journey was. Does not belong here: how
the fixes came or where they lie, and whether anything of it was allowed.
"""
