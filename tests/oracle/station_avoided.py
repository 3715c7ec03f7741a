"""Kind station_avoided, docs/rules.md section 7."""

from geofence.interval import Interval
from tests.oracle.earth import to_path
from tests.oracle.runs import interval
from tests.oracle.world import gap_s


def stations_avoided(world, vehicle, fixes):
    found: list[Interval] = []
    if vehicle.kind in ("bus", "car"):
        return found
    for station in world.stations:
        if station.approach is None:
            continue
        line = station.approach["coordinates"]
        for way in [line, line[::-1]] if station.is_two_way else [line]:
            found += avoided(world, vehicle, fixes, station, way)
    return found


def avoided(world, vehicle, fixes, station, line):
    at_m = to_path((station.lon, station.lat), line)[1]
    past = [past_m(fix, station, line, at_m) for fix in fixes]
    found, left, at = [], None, 0
    while at < len(fixes):
        if past[at] is None:
            at += 1
            continue
        if left is not None and is_avoided(world, fixes, past, station, left, at):
            stays = world.number(fixes[left].time, "visits.confirm_in")
            back = [past[k] is not None for k in range(at, min(len(fixes), at + int(stays)))]
            if all(back) and len(back) == stays:
                details = {"left_before_m": -past[left], "returned_behind_m": past[at]}
                own = fixes[left : at + 1]
                found.append(
                    interval(world, vehicle, "station_avoided", station.code, own, details, False)
                )
                left = at = at + len(back) - 1
            elif not all(back):
                # Stray fixes on the road: it is still away.
                at += back.index(False)
                continue
            else:
                break  # what comes next decides
        else:
            left = at
        if not station.valid_from <= fixes[left].time < station.valid_to:
            left = None
        at += 1
    return found


def past_m(fix, station, line, at_m):
    """How far behind the station a fix on its road lies, None: it is off the road."""
    apart, along = to_path(fix.place, line)
    return along - at_m if apart <= station.corridor_m else None


def is_avoided(world, fixes, past, station, left, at):
    """Whether who left the road after one fix and came back at another drove round the station."""
    time = fixes[left].time
    gone = at - left - 1
    return (
        gone >= world.number(time, "visits.confirm_out")
        and gap_s(fixes[left], fixes[at]) <= world.number(time, "station_avoided.within_s")
        and world.is_open_hour(station, time)
        and 0 < -past[left] <= world.number(time, "station_avoided.before_m")
        and 0 <= past[at] <= world.number(time, "station_avoided.behind_m")
    )
