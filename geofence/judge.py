"""The judge: cleaning and all rules over the fixes of many vehicles, batch by batch.

Belongs here: putting the parts together, and the promise of what a vehicle's state depends on. What
a rule is belongs to `rules`, where the fixes of a batch come from to whoever calls.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from devices.batch import DISQUALIFYING, I32, I64, U16, Bool, FixBatch, Quality
from geofence.compile import kernel
from geofence.interval import Interval
from geofence.locate import locate
from geofence.quality import CLEANING_DTYPE, clean
from geofence.registry import END_US
from geofence.roads.matcher import RoadMatcher
from geofence.rulebook import Rulebook
from geofence.rules.cloned_device import ClonedDevice
from geofence.rules.data_gap import DataGap
from geofence.rules.driving import Driving
from geofence.rules.gps_lost import GpsLost
from geofence.rules.moved_unseen import MovedUnseen
from geofence.rules.off_route import OffRoute
from geofence.rules.power_cut import PowerCut
from geofence.rules.route_stops import RouteStops
from geofence.rules.rule import Heard, Key, RawRule, Rule, Stateful, Track, grown
from geofence.rules.speeding import Speeding
from geofence.rules.visits import Visits

_UNSEEN: Final = np.array(END_US, np.int64)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge found in a batch of n fixes.

    quality: shape (n,), the final bits of each fix.
    needs_from: shape (n,). Once fix i is taken in, replaying its vehicle's stored fixes with
        time >= needs_from[i], from no state and with their stored quality (`settled`), gives the
        same state for cleaning and for every rule. Of settled fixes only the last of a vehicle has
        it: those before it are on the way to the state.
    intervals: those closed by fixes that were not settled, and of every vehicle in the batch those
        that qualify and are still open (is_open; but see `be_quiet_on_driving`). An interval that a
        settled fix closes is not among them: it was returned when that fix was judged first.
    pending: of every vehicle with settled fixes, the keys of what was not decided after the last of
        them. What the vehicle's fixes after its last settled one say is complete: the intervals of
        a vehicle that may be revised or withdrawn are those that started after its last settled
        fix, and those whose key is in `pending`; every other was closed before and stands.
    """

    quality: U16
    needs_from: I64
    intervals: list[Interval]
    pending: frozenset[Key] = field(default_factory=frozenset)


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
    names = ("vehicle", "time", "lon", "lat", "speed_kmh", "driver", "inputs")
    return fixes.with_columns(
        **{name: np.require(getattr(fixes, name), None, ["C", "W"]) for name in names}
    )


def _check(fixes: FixBatch, settled: Bool) -> None:
    if settled.shape != fixes.time.shape:
        raise ValueError(f"settled: expected shape {fixes.time.shape}, got {settled.shape}")
    if np.any(fixes.vehicle < 0):
        raise ValueError("vehicle: expected ids of the registry, got an unknown vehicle")
    if np.any(fixes.quality & Quality.FUTURE):
        raise ValueError("quality: expected no fix that is future")
    same = fixes.vehicle[1:] == fixes.vehicle[:-1]
    later = np.where(same, fixes.time[1:] > fixes.time[:-1], fixes.vehicle[1:] > fixes.vehicle[:-1])
    if not later.all():
        raise ValueError("fixes: expected rows sorted by vehicle and time, no two equal in both")
    if np.any(settled[1:] & ~settled[:-1] & same):
        raise ValueError("settled: expected a vehicle's settled fixes before its others")


class Judge:
    """The state of all vehicles under one rulebook."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._cleaning = np.zeros(0, CLEANING_DTYPE)
        self._rules_since = np.zeros(0, np.int64)
        self._driving = Driving(rulebook)
        self._rules: tuple[Rule, ...] = (
            Speeding(rulebook),
            DataGap(rulebook),
            Visits(rulebook),
            OffRoute(rulebook),
            RouteStops(rulebook),
            MovedUnseen(rulebook),
            PowerCut(rulebook),
            self._driving,
        )
        self._raw_rules: tuple[RawRule, ...] = (GpsLost(rulebook), ClonedDevice(rulebook))
        self._all_rules: tuple[Stateful, ...] = (*self._rules, *self._raw_rules)
        params = rulebook.params
        roads = rulebook.roads
        self._matcher = RoadMatcher(roads.index, params) if roads else None
        self._frozen_enough = int(params["quality_frozen_fixes"].max())
        self._differs_enough = int(params["quality_speed_differs_steps"].max())
        # Before what a rule needs, roads are matched with too little memory and limits are wrong. A
        # run over the limit that begins there ends with the last fix before what the rule needs:
        # its limit has to be right, unless a gap ends the run.
        self._longest_run_gap_us = int(params["speeding_max_gap_us"].max())

    def advance(self, fixes: FixBatch, settled: Bool) -> Judged:
        """Take fixes in: clean them and let every rule judge the clean ones.

        fixes: sorted by (vehicle, time), no two rows equal in both, each later than what the
            vehicle's state has seen, none that is future, vehicles of the rulebook.
        settled: shape (n,). Where it is set the fix has been judged before (a replayed prefix of
            its vehicle's fixes): its quality bits are taken as they are.
        """
        _check(fixes, settled)
        self._rulebook.check_vehicles(fixes.vehicle)
        fixes = _plain(fixes)
        quality = fixes.quality.copy()
        needs_from = np.empty(len(fixes), np.int64)
        if not len(fixes):
            return Judged(quality, needs_from, [])
        self._make_room(int(fixes.vehicle[-1]) + 1)
        pending: list[Key] = []
        if settled.any():
            replayed = fixes.take(settled)
            _, needs_from[settled], _ = self._take_in(replayed, settled=True)
            vehicles = np.unique(replayed.vehicle)
            for rule in self._all_rules:
                pending += rule.pending(vehicles)
        new = ~settled
        quality[new], needs_from[new], intervals = self._take_in(
            fixes.take(new) if settled.any() else fixes, settled=False
        )
        vehicles = np.unique(fixes.vehicle)
        for rule in self._all_rules:
            intervals += rule.open_intervals(vehicles)
        return Judged(quality, needs_from, intervals, frozenset(pending))

    def forget(self, vehicles: I32) -> None:
        """Make the state of these vehicles that of vehicles never seen."""
        known = vehicles[(vehicles >= 0) & (vehicles < len(self._cleaning))]
        self._cleaning[known] = np.zeros((), CLEANING_DTYPE)
        self._rules_since[known] = END_US
        if self._matcher:
            self._matcher.forget(known)
        for rule in self._all_rules:
            rule.forget(known)

    def be_quiet_on_driving(self, vehicles: I32, until: I64) -> None:
        """Leave open spans of driving out of what `advance` returns, to save their making.

        vehicles, until: shape (k,). That of vehicles[i] is left out while it only goes on and ends
        before until[i]. Forgetting a vehicle, or BEGINNING_US, ends this.
        """
        self._driving.be_quiet(vehicles, until)

    def _make_room(self, vehicles: int) -> None:
        if vehicles <= len(self._cleaning):
            return
        self._cleaning = grown(self._cleaning, vehicles, np.zeros((), CLEANING_DTYPE))
        self._rules_since = grown(self._rules_since, vehicles, _UNSEEN)
        for rule in self._all_rules:
            rule.make_room(len(self._cleaning))

    def _take_in(self, fixes: FixBatch, *, settled: bool) -> tuple[U16, I64, list[Interval]]:
        """Quality, needs_from and closed intervals of fixes that are settled, or are not."""
        heard, step_profile, quality, needs_from = self._clean(fixes, settled=settled)
        is_clean = heard.is_clean
        seen = fixes if is_clean.all() else fixes.take(is_clean)
        track = Track(
            vehicle=seen.vehicle,
            time=seen.time,
            lon=seen.lon,
            lat=seen.lat,
            speed_kmh=heard.speed_kmh[is_clean],
            driver=seen.driver,
            profile=heard.profile[is_clean],
            gap_us=heard.gap_us[is_clean],
            step_m=heard.step_m[is_clean],
            step_profile=step_profile[is_clean],
            inputs=seen.inputs,
        )
        matched = None
        if self._matcher:
            matched = self._matcher.advance(seen, track.speed_kmh, track.profile)
        located = locate(self._rulebook, seen, matched)
        intervals: list[Interval] = []
        clean_needs = seen.time.copy()
        for rule in self._rules:
            intervals += rule.advance(track, located, clean_needs, emit=not settled)
        if self._matcher:
            clean_needs = self._matcher.memory_from(clean_needs - self._longest_run_gap_us)
        _carry(self._rules_since, fixes.vehicle, is_clean, clean_needs, needs_from)
        for raw_rule in self._raw_rules:
            intervals += raw_rule.advance(heard, needs_from, emit=not settled)
        return quality, needs_from, intervals

    def _clean(self, fixes: FixBatch, *, settled: bool) -> tuple[Heard, I32, U16, I64]:
        """The fixes as heard, step_profile as in Track, quality, and needs_from of cleaning."""
        n = len(fixes)
        quality = fixes.quality.copy()
        needs_from = np.empty(n, np.int64)
        gap_us, step_m = np.empty(n, np.int64), np.empty(n, np.float64)
        step_profile = np.empty(n, np.int32)
        profile = self._rulebook.profile_row(fixes.time)
        speed_kmh = fixes.speed_kmh.astype(np.float64)
        clean(
            self._cleaning,
            self._rulebook.params,
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
