"""Kinds continuous_driving, daily_driving, weekly_driving and their warnings, rules section 4."""

import itertools
from datetime import timedelta

from devices.describe import rfc3339
from geofence.interval import Interval

KEYS = {
    "continuous_driving": "continuous_s",
    "daily_driving": "daily_s",
    "weekly_driving": "weekly_s",
}


def driving_time(world, spans):
    """What the spans of any drivers and vehicles add up to."""
    owners = {(s.driver, s.vehicle if s.driver < 0 else -1) for s in spans}
    found = []
    for driver, vehicle in sorted(owners):
        own = [s for s in spans if s.driver == driver and vehicle in (-1, s.vehicle)]
        own.sort(key=lambda s: (s.started, s.vehicle))
        for kind, group in groups(world, own):
            found += judge(world, kind, group)
    return found


def groups(world, spans):
    for span in spans:
        day = [s for s in spans if day_of(world, s) == day_of(world, span)]
        if day[0] is span:
            yield "daily_driving", day
        week = [s for s in spans if monday_of(world, s) == monday_of(world, span)]
        if week[0] is span:
            yield "weekly_driving", week
    rest: list[Interval] = []
    for span in spans:
        if rest:
            pause_us = span.started - max(s.ended for s in rest)
            if pause_us >= 1e6 * world.number(rest[0].started, "driving.rest_s"):
                yield "continuous_driving", rest
                rest = []
        rest.append(span)
    if rest:
        yield "continuous_driving", rest


def day_of(world, span):
    return world.local(span.started).date()


def monday_of(world, span):
    day = day_of(world, span)
    return day - timedelta(days=day.weekday())


def judge(world, kind, spans):
    """Violation and warning of spans that count together."""
    first = spans[0]
    day = monday_of(world, first) if kind == "weekly_driving" else day_of(world, first)
    local = world.local(first.started)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    since = first.started - round((local - midnight) / timedelta(microseconds=1))
    since -= round((day_of(world, first) - day) / timedelta(microseconds=1))
    profile = world.profile(since)
    table = profile.driving_limits_on(day)
    if table is None or KEYS[kind] not in table.limits:
        return []
    limit_s = table.limits[KEYS[kind]].limit_s
    warning_s = max(1e-6, limit_s - profile.number("driving.warning_s"))
    driven = covered(spans)
    driven_s = sum(b - a for a, b in driven) / 1e6
    last = max(spans, key=lambda s: s.ended)
    closed = [s for s in spans if not s.is_open]

    def interval(name, ended, end, metres, fixes, is_open, details):
        return Interval(
            name, first.vehicle, "", profile.id, first.driver, first.started, ended, metres, fixes,
            first.start, end, is_open, details,
        )  # fmt: skip

    found = []
    if driven_s > limit_s:
        details = {
            "driving_s": driven_s,
            "unseen_s": min(driven_s, sum(s.details["unseen_s"] for s in spans)),
            "limit_s": limit_s,
            "over_at": rfc3339(when(driven, limit_s)),
            "vehicles": len({s.vehicle for s in spans}),
        }
        metres, fixes = sum(s.distance_m for s in closed), sum(s.fixes for s in closed)
        is_open = len(closed) < len(spans)
        found.append(interval(kind, last.ended, last.end, metres, fixes, is_open, details))
    if driven_s >= warning_s:
        at = when(driven, warning_s)
        details = {
            "driving_s": warning_s,
            "limit_s": limit_s,
            "left_s": limit_s - warning_s,
            "vehicles": len({s.vehicle for s in spans if s.started < at}),
        }
        found.append(interval(f"{kind}_warning", at, first.start, 0.0, 0, False, details))
    return found


def covered(spans):
    """Times that any span covers, as (from, to) that do not overlap, in order."""
    bounds = sorted({t for s in spans for t in (s.started, s.ended)})
    pairs = itertools.pairwise(bounds)
    return [(a, b) for a, b in pairs if any(s.started <= a and b <= s.ended for s in spans)]


def when(driven, seconds):
    """The instant at which this much was driven."""
    left = round(seconds * 1e6)
    for a, b in driven:
        if b - a >= left:
            return a + left
        left -= b - a
    raise AssertionError(seconds)
