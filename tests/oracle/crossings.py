"""Polygons crossed between two fixes, docs/rules.md section 2, in exact arithmetic."""

import itertools
from fractions import Fraction

from devices.describe import rfc3339
from tests.oracle.earth import great_circle_m, is_inside
from tests.oracle.runs import interval, is_joined


def rings(geometry):
    """All rings of a polygon, outer and inner."""
    coordinates = geometry["coordinates"]
    is_one = geometry["type"] == "Polygon"
    return coordinates if is_one else [ring for part in coordinates for ring in part]


def exact(place):
    return Fraction(place[0]), Fraction(place[1])


def met_edge(a, b, c, d):
    """Shares of the step from a to b at which it meets the edge from c to d: none, one, or two."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = a, b, c, d
    step, edge, apart = (bx - ax, by - ay), (dx - cx, dy - cy), (cx - ax, cy - ay)
    cross = step[0] * edge[1] - step[1] * edge[0]
    if cross != 0:
        along = (apart[0] * edge[1] - apart[1] * edge[0]) / cross
        on_edge = (apart[0] * step[1] - apart[1] * step[0]) / cross
        return [along] if 0 <= along <= 1 and 0 <= on_edge <= 1 else []
    if apart[0] * step[1] != apart[1] * step[0]:
        return []  # parallel
    length2 = step[0] ** 2 + step[1] ** 2
    ends = [((x - ax) * step[0] + (y - ay) * step[1]) / length2 for x, y in (c, d)]
    if max(ends) < 0 or min(ends) > 1:
        return []
    return [min(max(share, Fraction(0)), Fraction(1)) for share in ends]


def met(a, b, geometry):
    """The first and the last share of a step at which it meets an outline; None: it does not."""
    a, b = exact(a), exact(b)
    shares = [
        share
        for ring in rings(geometry)
        for c, d in itertools.pairwise(ring)
        for share in met_edge(a, b, exact(c), exact(d))
    ]
    return (min(shares), max(shares)) if shares else None


def crossings(world, vehicle, fixes):
    found = []
    for zone in world.zones:
        for a, b in itertools.pairwise(fixes if zone.crossings else []):
            outside = not is_inside(zone, a.place) and not is_inside(zone, b.place)
            bound = all(world.applies(zone, vehicle, fix.time) for fix in (a, b))
            joined = is_joined(world, a, b, "visits.max_gap_s")
            short_way = abs(a.place[0] - b.place[0]) <= 180
            if outside and bound and joined and short_way and a.place != b.place:
                part = met(a.place, b.place, zone.geometry)
                found += [crossing(world, vehicle, zone, a, b, part)] if part else []
    return found


def crossing(world, vehicle, zone, a, b, part):
    details = {"zone_id": zone.id, "zone_kind": zone.kind}
    for name, share in zip(("entered", "left"), part, strict=True):
        lon, lat = place_at(a, b, share)
        details[f"{name}_at"] = rfc3339(a.time + round(share * (b.time - a.time)))
        details |= {f"{name}_lon": lon, f"{name}_lat": lat}
    details["inside_m"] = float(part[1] - part[0]) * great_circle_m(a.place, b.place)
    return interval(world, vehicle, "crossing", zone.code, [a, b], details, False)


def place_at(a, b, share):
    (ax, ay), (bx, by) = exact(a.place), exact(b.place)
    return float(ax + share * (bx - ax)), float(ay + share * (by - ay))
