"""The road index and the filter in plain Python: slow, obvious, and written from docs/roads.md."""

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

RADIUS = 6_371_008.8
DEGREE = math.radians(1) * RADIUS


def offset(lon, lat, s):
    """Distance from a point to a segment, and the fraction along it, in the plane at the point."""
    scale = DEGREE * math.cos(math.radians(lat))
    x1, y1 = (s["lon1"] - lon) * scale, (s["lat1"] - lat) * DEGREE
    dx, dy = (s["lon2"] - s["lon1"]) * scale, (s["lat2"] - s["lat1"]) * DEGREE
    square = dx * dx + dy * dy
    t = min(1.0, max(0.0, -(x1 * dx + y1 * dy) / square)) if square else 0.0
    return math.hypot(x1 + t * dx, y1 + t * dy), t


def haversine(lon1, lat1, lon2, lat2):
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.sin((b - a) / 2) ** 2
    h += math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * RADIUS * math.asin(math.sqrt(min(1.0, h)))


def roads_near(network, lon, lat, time, radius_m, most):
    """{road: (distance, segment, fraction)} of the nearest roads, every segment looked at."""
    best: dict[tuple[int, int], tuple[float, int, float]] = {}
    for row, s in enumerate(network.segments):
        edge = network.edges[s["edge"]]
        distance, fraction = offset(lon, lat, s)
        if distance > radius_m or not edge["valid_from"] <= time < edge["valid_to"]:
            continue
        bearing = float(s["bearing"]) + (180.0 if edge["is_flipped"] else 0.0)
        road = int(edge["stroke"]), int((bearing + 45.0) % 360.0 // 90.0)
        best[road] = min(best.get(road, (math.inf, 0, 0.0)), (distance, row, fraction))
    return dict(sorted(best.items(), key=lambda item: item[1])[:most])


def bell(x):
    return math.exp(-0.5 * x * x)


class Twin:
    """The filter, computed anew for each fix from the fixes that it may remember."""

    def __init__(self, network, profile):
        self.network = network
        names = "radius_m sigma_m heading_sigma_deg heading_over_kmh detour_m off_road_m max_gap_s"
        self.p = SimpleNamespace(**{n: profile.number(f"roads.{n}") for n in names.split()})
        self.memory_us = round(profile.number("roads.memory_s") * 1e6)
        self.off = bell(self.p.off_road_m / self.p.sigma_m)

    def candidates(self, fix):
        """[(edge, is_backward, place, likelihood)]: each road in each direction."""
        near = roads_near(self.network, fix.lon, fix.lat, fix.time, self.p.radius_m, 8)
        found = []
        for distance, row, fraction in near.values():
            s = self.network.segments[row]
            edge = self.network.edges[s["edge"]]
            along = s["along_m"] + fraction * s["length_m"]
            place = edge["offset_m"] + (edge["length_m"] - along if edge["is_flipped"] else along)
            for back in (False,) if edge["is_oneway"] else (False, True):
                likely = bell(distance / self.p.sigma_m)
                if fix.speed > self.p.heading_over_kmh and not math.isnan(fix.heading):
                    bearing = float(s["bearing"]) + (180.0 if back else 0.0)
                    off = abs((fix.heading - bearing + 180.0) % 360.0 - 180.0)
                    likely *= 0.02 + 0.98 * bell(off / self.p.heading_sigma_deg)
                found.append((int(s["edge"]), back, float(place), likely))
        return found

    def apart(self, node1, node2, lat):
        (lon1, lat1), (lon2, lat2) = self.network.nodes[node1], self.network.nodes[node2]
        x = (lon2 - lon1) * DEGREE * math.cos(math.radians(lat))
        return math.hypot(x, (lat2 - lat1) * DEGREE)

    def step(self, one, other, straight, lat):
        """How likely a candidate is after another."""
        scale = self.p.detour_m + 0.1 * straight
        edge1, edge2 = self.network.edges[one[0]], self.network.edges[other[0]]
        against1, against2 = one[1] != edge1["is_flipped"], other[1] != edge2["is_flipped"]
        if edge1["stroke"] == edge2["stroke"]:
            driven = other[2] - one[2]
            loop = self.network.loop_m[edge1["stroke"]]
            if loop:
                driven = (driven + loop / 2) % loop - loop / 2
            if against1 != against2:
                return 0.001 * math.exp(-abs(abs(driven) - straight) / scale)
            driven = -driven if against1 else driven
            detour = abs(abs(driven) - straight) + (2 * -driven if driven < 0 else 0)
            return math.exp(-detour / scale)
        at1, at2 = one[2] - edge1["offset_m"], other[2] - edge2["offset_m"]
        ways1 = self.leaving(edge1, one[1], at1, against1)
        ways2 = self.leaving(edge2, not other[1], at2, not against2)  # the way there, backwards
        best = 0.0
        for metres1, node1, wrong1 in ways1:
            for metres2, node2, wrong2 in ways2:
                way = metres1 + self.apart(node1, node2, lat) + metres2
                wrong = metres1 * wrong1 + metres2 * wrong2
                turn = 0.2 if node1 == node2 else 0.002
                best = max(best, turn * math.exp(-(abs(way - straight) + wrong) / scale))
        return best

    def leaving(self, edge, back, at, against):
        """Both ways off an edge, the one ahead and the one behind: (metres, node, is_wrong)."""
        ahead = at if against else edge["length_m"] - at
        first, last = (
            (edge["from_node"], edge["to_node"]) if back else (edge["to_node"], edge["from_node"])
        )
        return [(ahead, int(first), False), (edge["length_m"] - ahead, int(last), True)]

    def after(self, fixes):
        """Weights after the last fix: ([(candidate, weight)], weight of no road)."""
        begin = (fixes[-1].time // self.memory_us - 1) * self.memory_us
        fixes = [fix for fix in fixes if fix.time >= begin]
        for k in range(len(fixes) - 1, 0, -1):
            if fixes[k].time - fixes[k - 1].time > self.p.max_gap_s * 1e6:
                fixes = fixes[k:]
                break
        known = self.sum_to_one([(c, c[3]) for c in self.candidates(fixes[0])], self.off)
        for last, fix in pairwise(fixes):
            straight = haversine(last.lon, last.lat, fix.lon, fix.lat)
            before, off = known
            weights = [
                (
                    c,
                    c[3]
                    * (
                        off * 0.05 + sum(w * self.step(b, c, straight, last.lat) for b, w in before)
                    ),
                )
                for c in self.candidates(fix)
            ]
            stay = (off * 0.5 + 0.01 * sum(w for _, w in before)) * self.off
            known = self.sum_to_one(weights, stay)
        return known

    def sum_to_one(self, weights, off):
        total = off + sum(w for _, w in weights)
        return [(c, w / total) for c, w in weights], off / total

    def decide(self, fixes):
        """What the filter says of the last fix, and how far the next best lies behind.

        (edge, is_backward, confidence, place_m, road_confidence).
        """
        weights, off = self.after(fixes)
        groups: dict[int, list[Any]] = {}
        for c, w in weights:
            name = "backward_group" if c[1] else "forward_group"
            groups.setdefault(int(self.network.edges[c[0]][name]), []).append((w, c))
        ranked = sorted(((sum(w for w, _ in g), g) for g in groups.values()), key=lambda x: -x[0])
        if not ranked or off > ranked[0][0]:
            return (-1, False, 0.0, 0.0, 0.0), 0.0
        inside = sorted(ranked[0][1], key=lambda x: -x[0])
        best = inside[0][1]
        margins = [ranked[0][0] - w for w, _ in ranked[1:]] + [ranked[0][0] - off]
        margins += [inside[0][0] - w for w, _ in inside[1:]]
        strokes = self.network.edges["stroke"]
        on_stroke = sum(w for c, w in weights if strokes[c[0]] == strokes[best[0]])
        return (best[0], best[1], ranked[0][0], best[2], on_stroke), min(margins)


def fixes_of(batch):
    return [
        SimpleNamespace(
            time=int(batch.time[i]), lon=float(batch.lon[i]), lat=float(batch.lat[i]),
            speed=float(batch.speed_kmh[i]), heading=float(batch.heading[i]),
        )
        for i in range(len(batch))
    ]  # fmt: skip


def nearest_first(near):
    """What the kernel found, as the twin's `roads_near`."""
    found = {}
    for road in near[np.lexsort((near["segment"], near["square_m2"]))]:
        name = int(road["road"]) // 4, int(road["road"]) % 4
        distance_m = math.sqrt(road["square_m2"])
        found[name] = (distance_m, int(road["segment"]), float(road["fraction"]))
    return found
