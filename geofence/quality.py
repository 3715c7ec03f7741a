"""Cleaning: which fixes can be believed, as bits of `FixBatch.quality`.

Belongs here: the arrival bits, decided once for all fixes at once, and the sequential bits, decided
from a vehicle's earlier fixes. Nothing is dropped or reordered. docs/rules.md, section 9.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64, U16, Bool, FixBatch, Quality
from devices.compile import kernel
from devices.rounding import DILUTION, METRES, on_grid, whole_delay
from geofence.geodesy import haversine_m
from geofence.profile import Profile
from geofence.rulebook import Rulebook
from geofence.rules.rule import Records

SEQUENTIAL: Final = Quality.JUMP | Quality.FROZEN | Quality.SPEED_IMPLAUSIBLE
"""Bits that depend on the vehicle's earlier fixes, and so on what arrives late."""

_NO_POSITION: Final = int(Quality.NO_POSITION)
_JUMP: Final = int(Quality.JUMP)
_FROZEN: Final = int(Quality.FROZEN)
_SPEED: Final = int(Quality.SPEED_IMPLAUSIBLE)
_KEPT: Final = 0xFFFF & ~int(SEQUENTIAL)

US_PER_S: Final = 1e6


@dataclass(frozen=True, slots=True)
class Region:
    """Where the vehicles can be, degrees: what tells a pair of coordinates from an exchanged one.

    timeless_over_s: how old a fix without a position may be at its arrival to be judged.
    """

    west: float = 102.0
    south: float = 8.0
    east: float = 110.0
    north: float = 24.0
    timeless_over_s: float = 86_400.0

    def contains(self, lon: F64, lat: F64) -> Bool:
        """Which points lie in it, bounds included."""
        inside = (lon >= self.west) & (lon <= self.east) & (lat >= self.south) & (lat <= self.north)
        return np.asarray(inside, np.bool_)


class Delays(NamedTuple):
    """How early or late a fix may come, in microseconds: beyond, it is `future` or `late`.

    One number for all fixes, or shape (n,).
    """

    future_over_us: I64 | float
    late_over_us: I64 | float

    @classmethod
    def of(cls, profile: Profile) -> "Delays":
        """Those of one profile, for all fixes."""
        over_s = (profile.number("quality.future_over_s"), profile.number("quality.late_over_s"))
        return cls(over_s[0] * US_PER_S, over_s[1] * US_PER_S)

    @classmethod
    def at(cls, rulebook: Rulebook, received: I64) -> "Delays":
        """Those of the profiles in force when fixes arrived."""
        row, params = rulebook.profile_row(received), rulebook.params
        return cls(params["quality_future_over_us"][row], params["quality_late_over_us"][row])


def mark_arrival(fixes: FixBatch, region: Region, delays: Delays) -> FixBatch:
    """The fixes with their arrival bits set and exchanged coordinates put right.

    A bit that a codec has set stays. `swapped` says that lon and lat came exchanged: exchanging
    them again gives what was sent. Places, heights, odometers, HDOP and delays are rounded to what
    is kept of them, so that a fix is the same whether it is judged as it comes or from the
    database. To be called once for a fix, when it arrives.
    """
    lon, lat = on_grid(fixes.lon), on_grid(fixes.lat)
    refused = (fixes.quality & Quality.NO_POSITION) != 0
    swapped = ~refused & ~region.contains(lon, lat) & region.contains(lat, lon)
    lon, lat = np.where(swapped, lat, lon), np.where(swapped, lon, lat)
    readable = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)  # false for NaN
    nowhere = refused | ~readable | ((lon == 0.0) & (lat == 0.0))
    ahead_us = fixes.time - fixes.received
    quality = fixes.quality.copy()
    quality[nowhere] |= np.uint16(Quality.NO_POSITION)
    quality[swapped] |= np.uint16(Quality.SWAPPED)
    quality[ahead_us > delays.future_over_us] |= np.uint16(Quality.FUTURE)
    quality[-ahead_us > delays.late_over_us] |= np.uint16(Quality.LATE)
    return fixes.with_columns(
        lon=lon, lat=lat, received=whole_delay(fixes.time, fixes.received), quality=quality,
        altitude=on_grid(fixes.altitude, METRES), hdop=on_grid(fixes.hdop, DILUTION),
        odometer=on_grid(fixes.odometer, METRES),
    )  # fmt: skip


def is_judged(fixes: FixBatch, region: Region) -> Bool:
    """Which fixes the judge is shown, shape (n,); the others are stored only. Bits are set before.

    A tracker without a position may have no time either, and sends that of its last start, or the
    year 2000. Such a fix would have everything after it judged again, for nothing.
    """
    future = (fixes.quality & Quality.FUTURE) != 0
    nowhere = (fixes.quality & Quality.NO_POSITION) != 0
    old = fixes.received - fixes.time > region.timeless_over_s * US_PER_S
    return np.asarray(~future & ~(nowhere & old), np.bool_)


CLEANING_DTYPE: Final = np.dtype(
    [
        # The last clean fix.
        ("has_anchor", np.bool_),
        ("anchor_profile", np.int32),
        ("anchor_time", np.int64),
        ("anchor_lon", np.float64),
        ("anchor_lat", np.float64),
        # Jump fixes in a row since then whose own steps are plausible, and the last of them.
        ("chain", np.int32),
        ("chain_time", np.int64),
        ("chain_lon", np.float64),
        ("chain_lat", np.float64),
        # The last fix, and how many in a row lay there while reporting speed.
        ("last_lon", np.float64),
        ("last_lat", np.float64),
        ("frozen", np.int64),
        ("frozen_from", np.int64),
        ("frozen_middle", np.int64),
        # Steps in a row whose derived speed is far from the reported one.
        ("differs", np.int64),
        ("differs_from", np.int64),
        ("differs_middle", np.int64),
    ],
    align=True,
)
"""What cleaning remembers of a vehicle. All zero: never seen."""


@kernel
def kmh_of(distance_m: float, gap_us: int) -> float:
    """Speed over a step."""
    return distance_m / (gap_us / 1e6) * 3.6


@kernel
def count_on(count: int, since: int, middle: int, time: int, enough: int) -> tuple[int, int, int]:
    """Count one more in a row: (count, since, middle).

    since: time of the first that is counted. From `enough` on only "enough" matters; so that the
    count does not depend on fixes ever longer ago, it forgets all but the last `enough` whenever it
    reaches twice as many. `middle` is the time of the first that is then kept.
    """
    count += 1
    if count == 1:
        since = time
    if count == enough + 1:
        middle = time
    if count == 2 * enough:
        return enough, middle, 0
    return count, since, middle


@kernel
def _chain_length(state: Any, time: int, lon: float, lat: float, jump_kmh: float) -> int:
    """How many jump fixes in a row there are with this one whose own steps are plausible."""
    if state["chain"] == 0:
        return 1
    distance_m = haversine_m(state["chain_lon"], state["chain_lat"], lon, lat)
    if kmh_of(distance_m, time - state["chain_time"]) > jump_kmh:
        return 1
    return int(state["chain"]) + 1


@kernel
def _count_frozen(
    state: Any, time: int, lon: float, lat: float, is_fast: bool, enough: int
) -> None:
    moved = lon != state["last_lon"] or lat != state["last_lat"]
    if not is_fast or moved:
        state["frozen"] = 0
    if is_fast:
        state["frozen"], state["frozen_from"], state["frozen_middle"] = count_on(
            state["frozen"], state["frozen_from"], state["frozen_middle"], time, enough
        )
    state["last_lon"] = lon
    state["last_lat"] = lat


@kernel
def _count_differing(state: Any, differs: bool, enough: int) -> None:
    """Count the step that begins at the anchor."""
    if not differs:
        state["differs"] = 0
        return
    state["differs"], state["differs_from"], state["differs_middle"] = count_on(
        state["differs"],
        state["differs_from"],
        state["differs_middle"],
        state["anchor_time"],
        enough,
    )


@kernel
def _since(state: Any, time: int) -> int:
    """Time of the oldest fix that the state depends on."""
    since = time
    if state["has_anchor"]:
        since = min(since, state["anchor_time"])
    if state["frozen"] > 0:
        since = min(since, state["frozen_from"])
    if state["differs"] > 0:
        since = min(since, state["differs_from"])
    return since


@kernel
def clean(
    states: Records,
    params: Records,
    frozen_enough: int,
    differs_enough: int,
    vehicle: I32,
    time: I64,
    lon: F64,
    lat: F64,
    speed_kmh: F64,
    profile: I32,
    settled: bool,
    quality: U16,
    gap_us: I64,
    step_m: F64,
    step_profile: I32,
    needs_from: I64,
) -> None:
    """Decide the sequential bits of fixes sorted by (vehicle, time), and measure their steps.

    Fixes without a position have none of the bits, and to the others are as if not sent.

    states: by vehicle, CLEANING_DTYPE. params: by profile, PROFILE_DTYPE.
    frozen_enough, differs_enough: the greatest counts that any profile asks for.
    settled: the bits are final, and only the state is brought forward.
    quality: in with the bits so far, out with all.
    gap_us, step_m, step_profile: filled with the step of each clean fix, as in Track.
    needs_from: filled with the time of the oldest fix that cleaning depends on after each fix.
    """
    for i in range(len(time)):
        state = states[vehicle[i]]
        gap_us[i] = -1
        step_m[i] = 0.0
        step_profile[i] = profile[i]
        if not settled:
            quality[i] &= _KEPT
        if quality[i] & _NO_POSITION:
            needs_from[i] = _since(state, time[i])
            continue
        p = params[profile[i]]
        jump_kmh = p["quality_jump_kmh"]
        distance_m, kmh = 0.0, 0.0
        if state["has_anchor"]:
            distance_m = haversine_m(state["anchor_lon"], state["anchor_lat"], lon[i], lat[i])
            kmh = kmh_of(distance_m, time[i] - state["anchor_time"])
        jump = settled and (quality[i] & _JUMP) != 0
        if not settled and kmh > jump_kmh:
            chain = _chain_length(state, time[i], lon[i], lat[i], jump_kmh)
            jump = chain < p["quality_jump_resume_fixes"]
        is_fast = speed_kmh[i] > p["quality_frozen_speed_kmh"]
        _count_frozen(state, time[i], lon[i], lat[i], is_fast, frozen_enough)
        implausible = speed_kmh[i] > p["quality_speed_over_kmh"]
        if jump:
            state["chain"] = _chain_length(state, time[i], lon[i], lat[i], jump_kmh)
            state["chain_time"] = time[i]
            state["chain_lon"] = lon[i]
            state["chain_lat"] = lat[i]
        else:
            if state["has_anchor"]:
                gap_us[i] = time[i] - state["anchor_time"]
                step_m[i] = distance_m
                step_profile[i] = state["anchor_profile"]
                differs = abs(speed_kmh[i] - kmh) > p["quality_speed_differs_kmh"]
                _count_differing(state, differs, differs_enough)
                implausible |= state["differs"] >= p["quality_speed_differs_steps"]
            state["has_anchor"] = True
            state["anchor_profile"] = profile[i]
            state["anchor_time"] = time[i]
            state["anchor_lon"] = lon[i]
            state["anchor_lat"] = lat[i]
            state["chain"] = 0
        if not settled:
            frozen = state["frozen"] >= p["quality_frozen_fixes"]
            quality[i] |= _JUMP * jump | _FROZEN * frozen | _SPEED * implausible
        needs_from[i] = _since(state, time[i])
