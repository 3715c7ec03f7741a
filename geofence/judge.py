"""The judge: cleaning and all rules over the fixes of many vehicles, batch by batch.

Belongs here: putting the parts together, and the promise of what a vehicle's state depends on. What
a rule is belongs to `rules`, where the fixes of a batch come from to whoever calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from devices.batch import COLUMNS, DISQUALIFYING, I32, I64, U16, Bool, FixBatch, Quality
from devices.compile import kernel
from geofence.interval import Interval
from geofence.loads import NO_LOADS, Loads
from geofence.locate import locate
from geofence.quality import CLEANING_DTYPE, clean
from geofence.registry import END_US
from geofence.roads.matcher import RoadMatcher
from geofence.rulebook import Rulebook
from geofence.rules.cloned_device import ClonedDevice
from geofence.rules.crossings import Crossings
from geofence.rules.data_gap import DataGap
from geofence.rules.driving import Driving
from geofence.rules.gps_lost import GpsLost
from geofence.rules.known_load import KnownLoad
from geofence.rules.last import LastFixes
from geofence.rules.moved_unseen import MovedUnseen
from geofence.rules.power_cut import PowerCut
from geofence.rules.route_trips import RouteTrips
from geofence.rules.rule import Findings, Heard, Key, RawRule, Rule, Stateful, Track, grown
from geofence.rules.speeding import Speeding
from geofence.rules.station_avoided import StationAvoided
from geofence.rules.visits import Visits

_UNSEEN: Final = np.array(END_US, np.int64)
_FUTURE: Final = int(Quality.FUTURE)

PART: Final = 16_384
"""Fixes that are taken through all rules at once: so many that their columns stay in the caches of
a processor, and the calls of the kernels cost little beside them."""


@dataclass(frozen=True)
class Judged:
    """What the judge found in a batch of n fixes.

    quality: shape (n,), the final bits of each fix.
    needs_from: shape (n,). Once fix i is taken in, replaying its vehicle's stored fixes with
        time >= needs_from[i], from no state and with their stored quality (`settled`), and with
        its weighings of time >= needs_from[i] and no others, gives the same state for cleaning and
        for every rule. Of settled fixes only the last of a vehicle has
        it: those before it are on the way to the state.
    findings: the intervals as arrays.
    intervals: those closed by fixes that were not settled, and of every vehicle in the batch those
        that qualify and are still open (is_open; but see `be_quiet_on_driving`). An interval that a
        settled fix closes is not among them: it was returned when that fix was judged first. They
        are made when asked for.
    pending: of every vehicle with settled fixes, the keys of what was not decided after the last of
        them. What the vehicle's fixes after its last settled one say is complete: the intervals of
        a vehicle that may be revised or withdrawn are those that started after its last settled
        fix, and those whose key is in `pending`; every other was closed before and stands.
    """

    quality: U16
    needs_from: I64
    findings: list[Findings]
    pending: frozenset[Key] = field(default_factory=frozenset)

    @cached_property
    def intervals(self) -> list[Interval]:
        """See above."""
        return [interval for found in self.findings for interval in found.intervals()]


@kernel
def _carry(
    rules_since: I64, vehicle: I32, is_clean: Bool, clean_needs: I64, needs_from: I64
) -> None:
    """Lower needs_from by what the rules need: after an unclean fix what they needed before it."""
    row = 0
    for i in range(len(vehicle)):
        if is_clean[i]:
            rules_since[vehicle[i]] = clean_needs[row]
            row += 1
        needs_from[i] = min(needs_from[i], rules_since[vehicle[i]])


def _plain(fixes: FixBatch) -> FixBatch:
    """The same fixes in writable arrays of one piece: kernels are compiled for no others."""
    names = ("vehicle", "time", "lon", "lat", "speed_kmh", "driver", "inputs", "quality")
    return fixes.with_columns(
        **{name: np.require(getattr(fixes, name), None, ["C", "W"]) for name in names}
    )


def _track(fixes: FixBatch, heard: Heard, step_profile: I32) -> tuple[FixBatch, Track]:
    """The clean ones of the fixes heard, and their columns as rules see them."""
    seen, columns = fixes, (heard.speed_kmh, heard.profile, heard.gap_us, heard.step_m)
    if not heard.is_clean.all():
        seen = fixes.take(heard.is_clean)
        step_profile = step_profile[heard.is_clean]
        columns = (
            heard.speed_kmh[heard.is_clean], heard.profile[heard.is_clean],
            heard.gap_us[heard.is_clean], heard.step_m[heard.is_clean],
        )  # fmt: skip
    speed_kmh, profile, gap_us, step_m = columns
    return seen, Track(
        vehicle=seen.vehicle,
        time=seen.time,
        lon=seen.lon,
        lat=seen.lat,
        speed_kmh=speed_kmh,
        driver=seen.driver,
        profile=profile,
        gap_us=gap_us,
        step_m=step_m,
        step_profile=step_profile,
        inputs=seen.inputs,
    )


def _wait_for_clean(
    fixes: FixBatch, is_clean: Bool, rules_since: I64, loads: Loads, needs_from: I64
) -> None:
    """Lower needs_from to weighings that no rule has seen: the vehicle has no clean fix yet."""
    for vehicle, time in zip(loads.vehicle.tolist(), loads.time.tolist(), strict=True):
        if vehicle >= len(rules_since) or rules_since[vehicle] != END_US:
            continue
        first, last = np.searchsorted(fixes.vehicle, [vehicle, vehicle + 1])
        clean = np.flatnonzero(is_clean[first:last])
        waiting = slice(first, first + clean[0] if len(clean) else last)
        is_later = fixes.time[waiting] >= time
        lowered = np.minimum(needs_from[waiting], time)
        needs_from[waiting] = np.where(is_later, lowered, needs_from[waiting])


def _check(fixes: FixBatch, settled: Bool) -> None:
    if settled.shape != fixes.time.shape:
        raise ValueError(f"settled: expected shape {fixes.time.shape}, got {settled.shape}")
    if np.any(fixes.vehicle < 0):
        raise ValueError("vehicle: expected ids of the registry, got an unknown vehicle")
    wrong = _first_wrong(fixes.vehicle, fixes.time, fixes.quality, settled)
    if wrong == _IS_FUTURE:
        raise ValueError("quality: expected no fix that is future")
    if wrong == _UNSORTED:
        raise ValueError("fixes: expected rows sorted by vehicle and time, no two equal in both")
    if wrong == _SETTLED_LATER:
        raise ValueError("settled: expected a vehicle's settled fixes before its others")


_IS_FUTURE: Final = 1
_UNSORTED: Final = 2
_SETTLED_LATER: Final = 3


@kernel
def _first_wrong(vehicle: I32, time: I64, quality: U16, settled: Bool) -> int:
    for i in range(len(vehicle)):
        if quality[i] & _FUTURE:
            return _IS_FUTURE
        if i == 0 or vehicle[i] > vehicle[i - 1]:
            continue
        if vehicle[i] < vehicle[i - 1] or time[i] <= time[i - 1]:
            return _UNSORTED
        if settled[i] and not settled[i - 1]:
            return _SETTLED_LATER
    return 0


def _distinct(sorted_vehicle: I32) -> I32:
    """Each vehicle of a sorted column once."""
    is_first = np.ones(len(sorted_vehicle), np.bool_)
    np.not_equal(sorted_vehicle[1:], sorted_vehicle[:-1], out=is_first[1:])
    return sorted_vehicle[is_first]


def _parts(fixes: FixBatch) -> Iterator[tuple[slice, FixBatch]]:
    """The fixes piece by piece, without copies of what the judge reads."""
    if 0 < len(fixes) <= PART:
        yield slice(None), fixes
        return
    for begin in range(0, len(fixes), PART):
        rows = slice(begin, begin + PART)
        columns = {name: getattr(fixes, name)[rows] for name in COLUMNS}
        yield rows, FixBatch(**columns)


class Judge:
    """The state of all vehicles under one rulebook."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook: Final = rulebook
        self._cleaning = np.zeros(0, CLEANING_DTYPE)
        self._rules_since = np.zeros(0, np.int64)
        self._is_blank: Bool = np.zeros(0, np.bool_)
        self._last = LastFixes()
        self._driving = Driving(rulebook)
        self._rules: tuple[Rule, ...] = (
            Speeding(rulebook, self._last),
            DataGap(rulebook, self._last),
            Visits(rulebook),
            Crossings(rulebook, self._last),
            RouteTrips(rulebook),
            MovedUnseen(rulebook, self._last),
            PowerCut(rulebook),
            StationAvoided(rulebook),
            self._driving,
        )
        self._raw_rules: tuple[RawRule, ...] = (GpsLost(rulebook), ClonedDevice(rulebook))
        self._known_load = KnownLoad(rulebook)
        self._all_rules: tuple[Stateful, ...] = (
            *self._rules,
            *self._raw_rules,
            self._known_load,
        )
        params = rulebook.params
        roads = rulebook.roads
        self._matcher = RoadMatcher(roads.index, params) if roads else None
        self._frozen_enough = int(params["quality_frozen_fixes"].max())
        self._differs_enough = int(params["quality_speed_differs_steps"].max())
        # Before what a rule needs, roads are matched with too little memory and limits are wrong. A
        # run over the limit that begins there ends with the last fix before what the rule needs:
        # its limit has to be right, unless a gap ends the run.
        self._longest_run_gap_us = int(params["speeding_max_gap_us"].max())

    def advance(self, fixes: FixBatch, settled: Bool, loads: Loads = NO_LOADS) -> Judged:
        """Take fixes in: clean them and let every rule judge the clean ones.

        fixes: sorted by (vehicle, time), no two rows equal in both, each later than what the
            vehicle's state has seen, none that is future, vehicles of the rulebook.
        settled: shape (n,). Where it is set the fix has been judged before (a replayed prefix of
            its vehicle's fixes): its quality bits are taken as they are.
        loads: weighings. Of a vehicle without state those since its replay begins, and no earlier
            ones; of any other at least those since the `needs_from` that was given for its last
            fix: earlier ones are known already. Those later than its last fix are to be given
            again with later fixes, those of vehicles without fixes are left out.
        """
        fixes, settled = _plain(fixes), np.require(settled, np.bool_, ["C", "W"])
        _check(fixes, settled)
        self.rulebook.check_vehicles(fixes.vehicle)
        quality = fixes.quality.copy()
        needs_from = np.empty(len(fixes), np.int64)
        if not len(fixes):
            return Judged(quality, needs_from, [])
        self._make_room(int(fixes.vehicle[-1]) + 1)
        self._is_blank[fixes.vehicle] = False
        pending: list[Key] = []
        new, rows = fixes, np.ones(len(fixes), np.bool_)
        if settled.any():
            replayed = fixes.take(settled)
            _, needs_from[settled], _ = self._take_in(replayed, loads, settled=True)
            vehicles = _distinct(replayed.vehicle)
            for rule in self._all_rules:
                pending += rule.pending(vehicles)
            rows = ~settled
            new = fixes.take(rows)
        quality[rows], needs_from[rows], findings = self._take_in(new, loads, settled=False)
        vehicles = _distinct(fixes.vehicle)
        for rule in self._all_rules:
            findings += rule.open_intervals(vehicles)
        return Judged(quality, needs_from, findings, frozenset(pending))

    def forget(self, vehicles: I32) -> None:
        """Make the state of these vehicles that of vehicles never seen."""
        known = vehicles[(vehicles >= 0) & (vehicles < len(self._cleaning))]
        # A worker that starts asks this of every vehicle it meets, and each costs microseconds.
        known = known[~self._is_blank[known]]
        self._is_blank[known] = True
        self._cleaning[known] = np.zeros((), CLEANING_DTYPE)
        self._rules_since[known] = END_US
        self._last.forget(known)
        if self._matcher:
            self._matcher.forget(known)
        for rule in self._all_rules:
            rule.forget(known)

    def be_quiet_on_driving(self, vehicles: I32, until: I64) -> None:
        """Leave open spans of driving out of what `advance` returns, to save their making.

        vehicles, until: shape (k,). That of vehicles[i] is left out while it only goes on and ends
        before until[i]. Forgetting a vehicle, or BEGINNING_US, ends this.
        """
        self._is_blank[vehicles[vehicles < len(self._is_blank)]] = False
        self._driving.be_quiet(vehicles, until)

    def _make_room(self, vehicles: int) -> None:
        if vehicles <= len(self._cleaning):
            return
        self._cleaning = grown(self._cleaning, vehicles, np.zeros((), CLEANING_DTYPE))
        self._rules_since = grown(self._rules_since, vehicles, _UNSEEN)
        self._is_blank = grown(self._is_blank, vehicles, np.ones((), np.bool_))
        self._last.make_room(vehicles)
        for rule in self._all_rules:
            rule.make_room(len(self._cleaning))

    def _take_in(
        self, fixes: FixBatch, loads: Loads, *, settled: bool
    ) -> tuple[U16, I64, list[Findings]]:
        """Quality, needs_from and closed intervals of fixes that are settled, or are not."""
        quality, needs_from = np.empty(len(fixes), np.uint16), np.empty(len(fixes), np.int64)
        findings: list[Findings] = []
        for rows, part in _parts(fixes):
            own = loads.of_vehicles(int(part.vehicle[0]), int(part.vehicle[-1]))
            quality[rows], needs_from[rows], found = self._take_part(part, own, settled=settled)
            findings += [one for one in found if len(one.records)]
        return quality, needs_from, findings

    def _take_part(
        self, fixes: FixBatch, loads: Loads, *, settled: bool
    ) -> tuple[U16, I64, list[Findings]]:
        heard, step_profile, quality, needs_from = self._clean(fixes, settled=settled)
        is_clean = heard.is_clean
        seen, track = _track(fixes, heard, step_profile)
        matched = None
        if self._matcher:
            matched = self._matcher.advance(seen, track.speed_kmh, track.profile)
        located = locate(self.rulebook, seen, matched)
        findings: list[Findings] = []
        clean_needs = seen.time.copy()
        for rule in self._rules:
            findings += rule.advance(track, located, clean_needs, emit=not settled)
        findings += self._known_load.advance(track, matched, loads, clean_needs, emit=not settled)
        self._last.remember(
            track, located.limit_kmh, located.limit_source, located.limit_zone, clean_needs
        )
        if self._matcher:
            clean_needs = self._matcher.memory_from(clean_needs - self._longest_run_gap_us)
        _wait_for_clean(fixes, is_clean, self._rules_since, loads, needs_from)
        _carry(self._rules_since, fixes.vehicle, is_clean, clean_needs, needs_from)
        for raw_rule in self._raw_rules:
            findings += raw_rule.advance(heard, needs_from, emit=not settled)
        return quality, needs_from, findings

    def _clean(self, fixes: FixBatch, *, settled: bool) -> tuple[Heard, I32, U16, I64]:
        """The fixes as heard, step_profile as in Track, quality, and needs_from of cleaning."""
        n = len(fixes)
        quality = fixes.quality.copy()
        needs_from = np.empty(n, np.int64)
        gap_us, step_m = np.empty(n, np.int64), np.empty(n, np.float64)
        step_profile = np.empty(n, np.int32)
        profile = self.rulebook.profile_row(fixes.time)
        speed_kmh = fixes.speed_kmh.astype(np.float64)
        clean(
            self._cleaning,
            self.rulebook.params,
            self._frozen_enough,
            self._differs_enough,
            fixes.vehicle,
            fixes.time,
            fixes.lon,
            fixes.lat,
            speed_kmh,
            profile,
            settled,
            quality,
            gap_us,
            step_m,
            step_profile,
            needs_from,
        )
        speed_kmh[(quality & Quality.SPEED_IMPLAUSIBLE) != 0] = np.nan
        heard = Heard(
            vehicle=fixes.vehicle,
            time=fixes.time,
            lon=fixes.lon,
            lat=fixes.lat,
            speed_kmh=speed_kmh,
            driver=fixes.driver,
            profile=profile,
            has_position=(quality & Quality.NO_POSITION) == 0,
            is_clean=(quality & DISQUALIFYING) == 0,
            gap_us=gap_us,
            step_m=step_m,
        )
        return heard, step_profile, quality, needs_from
