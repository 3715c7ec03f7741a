"""Kind driving, docs/rules.md section 4: who drove when, and nothing of what it adds up to.

First the drives of the vehicle, whoever drove; then each is shared out among drivers; then cut at
midnight.
"""

import itertools
import math
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from geofence.interval import Interval
from tests.oracle.cleaning import implied_kmh
from tests.oracle.earth import great_circle_m
from tests.oracle.world import gap_s

END = 10**9
"""Stands for "has not ended" where a fix's number is expected."""


def driving(world, vehicle, fixes):
    fixes_between = [kind_of_step(world, fixes, at) for at in range(len(fixes) - 1)]
    found = []
    for first, last, is_open, stops in drives(world, fixes, fixes_between):
        for a, b, driver, still, is_moving in shares(world, fixes, first, last, is_open, stops):
            found += pieces(world, vehicle, fixes, fixes_between, a, b, driver, still, is_moving)
    return found


def kind_of_step(world, fixes, at):
    """What the step after a fix is: drives, stands, unseen, or nothing that counts."""
    a, b = fixes[at], fixes[at + 1]
    if gap_s(a, b) > world.number(a.time, "driving.max_gap_s"):
        is_near = great_circle_m(a.place, b.place) <= world.number(a.time, "driving.same_place_m")
        is_short = gap_s(a, b) <= world.number(a.time, "driving.unseen_up_to_s")
        return "unseen" if is_short and not is_near else "stands"
    paces = {pace(world, fixes, at), pace(world, fixes, at + 1)}
    return {frozenset({"fast"}): "drives", frozenset({"slow"}): "stands"}.get(frozenset(paces), "")


def pace(world, fixes, at):
    speed = fixes[at].rule_speed_kmh
    if math.isnan(speed) and at > 0:
        speed = implied_kmh(fixes[at - 1], fixes[at])
    if math.isnan(speed):
        return ""
    return "slow" if speed <= world.number(fixes[at].time, "stops.stop_speed_kmh") else "fast"


def drives(world, fixes, kinds):
    """(first, last, is_open, stops) of each drive; stops are (first slow, first fast or END)."""
    goes = [at for at, kind in enumerate(kinds) if kind in ("drives", "unseen")]
    stands = [at for at, kind in enumerate(kinds) if kind == "stands"]
    at = 0
    while start := [go for go in goes if go >= at]:
        stops: list[tuple[int, int]] = []
        at = start[0]
        while True:
            stop = next((k for k in stands if k > at), None)
            if stop is None:
                yield start[0], len(fixes) - 1, True, stops
                return
            go = next((k for k in goes if k > stop), END)
            until = fixes[min(go, len(fixes) - 1)]
            if gap_s(fixes[stop], until) >= world.number(fixes[stop].time, "driving.rest_s"):
                yield start[0], stop, False, stops
                at = stop + 1
                break
            stops.append((stop, go))
            if go == END:
                yield start[0], stop, True, stops
                return
            at = go


def shares(world, fixes, first, last, is_open, stops):
    """(first, last, driver, is_open, is_moving) of each driver's part of a drive."""
    begins, driver = first, fixes[first].driver
    end = len(fixes) - 1 if is_open else last
    at = first + 1
    while at <= end:
        if fixes[at].driver == driver:
            at += 1
            continue
        stop = next(((s, go) for s, go in stops if s < at <= go), None)
        ends = stop[0] if stop else at
        if fixes[at].driver < 0:
            back = comes_back(world, fixes, begins, ends, at, driver)
            if back == END:
                yield begins, ends, driver, True, False
                return
            if back is not None:
                at = back + 1
                continue
        yield begins, ends, driver, False, False
        if stop and stop[1] == END:
            return
        begins = stop[1] if stop else at
        driver = fixes[begins].driver
        at = begins + 1
    yield begins, last, driver, is_open, is_open and last == len(fixes) - 1


def comes_back(world, fixes, begins, ends, lost, driver):
    """The fix at which a driver who was lost is there again in time; None: he is not; END: open."""
    rest_s = world.number(fixes[lost].time, "driving.rest_s")
    day_ends = end_of_day(world, fixes[begins].time, fixes[ends].time)
    if fixes[lost].time > day_ends:
        return None
    for at in range(lost + 1, len(fixes)):
        if gap_s(fixes[lost], fixes[at]) >= rest_s or fixes[at].time > day_ends:
            return None
        if fixes[at].driver >= 0:
            return at if fixes[at].driver == driver else None
    return END


def midnights(world, first, last):
    """The local midnights strictly between two instants, and one after them."""
    zone = ZoneInfo(world.timezone)
    day = world.local(first).date()
    found: list[int] = []
    while not found or found[-1] < last:
        day += timedelta(days=1)
        found.append(round(datetime.combine(day, time(), zone).timestamp()) * 1_000_000)
    return [m for m in found if first < m < last], found[-1]


def end_of_day(world, begins, ends):
    """The end of the day that the last piece between two instants lies in."""
    inside, _ = midnights(world, begins, ends)
    piece = inside[-1] if inside else begins
    return midnights(world, piece, piece)[1]


def pieces(world, vehicle, fixes, kinds, first, last, driver, is_open, is_moving):
    """What midnight leaves of one driver's part."""
    begins, ends = fixes[first].time, fixes[last].time
    inside, _ = midnights(world, begins, ends)
    bounds = [begins, *inside, ends]
    for a, b in itertools.pairwise(bounds):
        if a == b:
            continue
        unseen_us, metres = 0, 0.0
        for at in range(first, last):
            this, following = fixes[at], fixes[at + 1]
            share = max(0, min(b, following.time) - max(a, this.time))
            metres += great_circle_m(this.place, following.place) * (
                share / (following.time - this.time)
            )
            if kinds[at] == "unseen":
                unseen_us += share
        yield Interval(
            kind="driving",
            vehicle=vehicle.id,
            subject="",
            profile=world.profile(a).id,
            driver=driver,
            started=a,
            ended=b,
            distance_m=metres,
            fixes=sum(a <= fix.time <= b for fix in fixes),
            start=place_at(fixes, a),
            end=place_at(fixes, b),
            is_open=is_open and b == ends,
            details={
                "driving_s": (b - a) / 1e6,
                "unseen_s": unseen_us / 1e6,
                "continues": a != begins,
                "is_moving": is_moving and b == ends,
            },
        )


def place_at(fixes, instant):
    for a, b in itertools.pairwise(fixes):
        if a.time <= instant <= b.time:
            share = (instant - a.time) / (b.time - a.time)
            return tuple(p + (q - p) * share for p, q in zip(a.place, b.place, strict=True))
    raise AssertionError(instant)
