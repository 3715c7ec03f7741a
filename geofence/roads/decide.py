"""Which road a fix is on, by the weights of its candidates.

Belongs here: what is said of a fix once the filter has weighed it.
"""

from typing import Any

from devices.compile import inlined_kernel, kernel


@kernel
def _group(road: Any, side: int) -> int:
    return int(road["group_against"] if side else road["group_along"])


@inlined_kernel
def _group_weight(roads: Any, now: int, count: int, group: int) -> float:
    """The weight of all candidates that have one limit."""
    total = 0.0
    for k in range(now, now + count):
        if roads[k]["group_along"] == group:
            total += roads[k]["weight"][0]
        if roads[k]["group_against"] == group:
            total += roads[k]["weight"][1]
    return total


@inlined_kernel
def _likeliest(roads: Any, now: int, count: int) -> tuple[int, int]:
    """The candidate with the most weight, and 1 if it is backward; -1: none has any."""
    best, best_back, most = -1, 0, 0.0
    for k in range(now, now + count):
        for back in range(2):
            here = roads[k]["weight"][back ^ roads[k]["is_flipped"]]
            if here > most:
                best, best_back, most = k, back, here
    return best, best_back


@inlined_kernel
def _likeliest_limit(roads: Any, now: int, count: int) -> tuple[int, int, float]:
    """The likeliest candidate of the limit with the most weight, and that weight."""
    best, best_back, best_weight, most = -1, 0, 0.0, 0.0
    for k in range(now, now + count):
        for back in range(2):
            side = back ^ roads[k]["is_flipped"]
            weight = roads[k]["weight"][side]
            if weight > 0.0:
                here = _group_weight(roads, now, count, _group(roads[k], side))
                if here > most or (here == most and weight > best_weight):
                    best, best_back, best_weight, most = k, back, weight, here
    return best, best_back, most


@inlined_kernel
def _stroke_weight(roads: Any, now: int, count: int, stroke: int) -> float:
    """The weight of all candidates on one stroke, in both directions."""
    total = 0.0
    for k in range(now, now + count):
        if roads[k]["stroke"] == stroke:
            total += roads[k]["weight"][0] + roads[k]["weight"][1]
    return total


@inlined_kernel
def decide(roads: Any, now: int, count: int, off: float, i: int, out: Any) -> None:
    """The likeliest limit's likeliest candidate, by the older generation, as fix i of `out`.

    Candidates that have the same limit are one: between them there is nothing to decide.
    """
    total = 0.0
    best, back = _likeliest(roads, now, count)
    if best >= 0:
        group = _group(roads[best], back ^ roads[best]["is_flipped"])
        total = _group_weight(roads, now, count, group)
    if not total > 0.5:  # else no other limit can have more
        best, back, total = _likeliest_limit(roads, now, count)
    if best < 0 or off > total:
        out.edge[i], out.is_backward[i], out.confidence[i] = -1, False, 0.0
        out.place_m[i], out.road_confidence[i] = 0.0, 0.0
    else:
        out.edge[i], out.is_backward[i] = roads[best]["edge"], back == 1
        out.confidence[i] = total
        out.place_m[i] = roads[best]["place_m"]
        out.road_confidence[i] = _stroke_weight(roads, now, count, roads[best]["stroke"])
