"""The fleet: many vehicles on few drives, sampled all at once, the same for the same seed.

Belongs here: who drives what from which phase, and the fixes that follow. Does not belong here:
wire formats, brokers, and the waiting for time to pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64, U32, Bool, FixBatch, Input, inputs_word
from geofence.registry import StationRule
from simulators.drives import bus_drive, car_drive, lorry_drive, on_line
from simulators.motion import Drive
from simulators.noise import normal, uniform
from simulators.stations import Passage, Weighbridges, weigh_phase
from simulators.truth import Planned, Stretch
from simulators.vehicles import (
    BUS,
    CAR,
    CODECS,
    LORRIES,
    MILLISECONDS,
    MIX,
    WITHIN_POLES,
    Make,
    SimulatedVehicle,
    make_vehicle,
)
from simulators.violators import Script, violators
from simulators.world import World

POSITION_NOISE_M: Final = 2.0
SPEED_NOISE_KMH: Final = 0.4
SLOWEST_PACE: Final = 0.88
"""A slow driver's clock runs at this pace, everybody's between it and 1."""

VIOLATORS_AT_LEAST: Final = 9
"""So many scripts offend in every kind."""

VIOLATORS_AT_MOST: Final = 45
SHARE_OF_VIOLATORS: Final = 11
"""One vehicle in so many offends, within those bounds."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """vehicles: how many. codec: one of CODECS, or "mix". start_us: when the simulation begins.

    spread_s: planned violations are first committed within so many seconds of the start, as far
    as the drives allow it.
    """

    vehicles: int
    seed: int = 1
    codec: str = "json"
    start_us: int = 0
    spread_s: float = 900.0


@dataclass(frozen=True, slots=True)
class _Part:
    """What one vehicle does: its drive, the phase at the start, and how fast its clock runs."""

    make: Make
    drive: Drive
    phase_s: float
    pace: float
    routes: tuple[str, ...] = ()
    script: Script | None = None


class Fleet:
    """Vehicles in motion. Every answer follows from the options alone, however it is asked for."""

    def __init__(self, world: World, options: FleetOptions) -> None:
        if options.codec != "mix" and options.codec not in CODECS:
            expected = ", ".join((*CODECS, "mix"))
            raise ValueError(f"codec {options.codec!r}: expected one of {expected}")
        if options.vehicles < 1:
            raise ValueError(f"vehicles: expected at least 1, got {options.vehicles}")
        self.world = world
        self.options = options
        self._parts = _cast(world, options)
        self.vehicles: tuple[SimulatedVehicle, ...] = tuple(
            make_vehicle(number, part.make, _codec(options.codec, number), part.routes)
            for number, part in enumerate(self._parts, 1)
        )
        drives = list({id(part.drive): part.drive for part in self._parts}.values())
        index = {id(drive): row for row, drive in enumerate(drives)}
        self._drives = drives
        self._drive_of: I32 = np.array([index[id(p.drive)] for p in self._parts], np.int32)
        self._phase: F64 = np.array([part.phase_s for part in self._parts])
        self._pace: F64 = np.array([part.pace for part in self._parts])
        self._whole_seconds = np.array([v.codec not in MILLISECONDS for v in self.vehicles])
        # Of each vehicle: whether its format can write exchanged axes.
        self.can_swap: Bool = np.array([v.codec not in WITHIN_POLES for v in self.vehicles])
        self._offenders = [(row, part) for row, part in enumerate(self._parts) if part.script]
        self._silences = [
            (row, part.drive.period_s, *silence)
            for row, part in enumerate(self._parts)
            for silence in (part.script.silences if part.script else ())
        ]
        self.licences: tuple[str, ...] = tuple(v.licence for v in self.vehicles)
        self.weighbridges = Weighbridges(self._passages(), options.seed)

    @property
    def offenders(self) -> int:
        """How many vehicles have planned violations: the first rows of `vehicles`."""
        return len(self._offenders)

    def due(self, from_us: int, to_us: int, interval_s: int) -> FixBatch:
        """The fixes that the trackers take in from_us <= time < to_us, in order of time.

        `vehicle` and `driver` are rows of `vehicles`, from 0. Each tracker takes one fix every
        `interval_s`, at its own offset; asked for in parts or at once, they are the same.
        """
        interval = interval_s * 1_000_000
        first = self.options.start_us + self._offsets(interval_s)
        begin = np.maximum(-((first - from_us) // interval), 0)
        count = np.maximum(-((first - to_us) // interval), 0) - begin
        row = np.repeat(np.arange(len(self.vehicles), dtype=np.int32), count)
        turn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
        time = first[row] + turn * interval
        order = np.lexsort((row, time))
        return self.sample(row[order], time[order])

    def sample(self, row: I32, time: I64) -> FixBatch:
        """The fixes of vehicles `row` at these times, less those that their trackers keep back."""
        phase = self._phases(row, time)
        lon, lat, speed, heading, along = (np.empty(len(row)) for _ in range(5))
        drive = self._drive_of[row]
        for which in np.unique(drive):
            mine = drive == which
            one = self._drives[which]
            lon[mine], lat[mine], speed[mine], heading[mine] = one.sample(phase[mine])
            along[mine] = np.interp(phase[mine] % one.period_s, one.phase_s, one.along_m)
            along[mine] += phase[mine] // one.period_s * one.line.length_m
        speed *= self._pace[row]
        fixes = self._noisy(row, time, lon, lat, speed)
        fixes = fixes.with_columns(heading=heading.astype(np.float32) % 360, odometer=along.round())
        return fixes.take(~self._silent(row, phase))

    def planned(self, until_us: int, fixes_of: Sequence[I64] | None = None) -> list[Planned]:
        """The violations planned up to a time.

        fixes_of: the times of the fixes that each offender sent (ascending); given them, only what
        they suffice to show is counted. What goes on longer has the end that is planned for it.
        """
        found: list[Planned] = []
        for row, part in self._offenders:
            for stretch in part.script.stretches if part.script else ():
                for started, ended in self._times(part, stretch, until_us):
                    known = fixes_of is None or stretch.is_known(started, ended, fixes_of[row])
                    if known:
                        found.append(self._plan(row, stretch, started, ended))
        return found

    def _plan(self, row: int, stretch: Stretch, started: int, ended: int) -> Planned:
        vehicle = self.vehicles[row]
        return Planned(
            kind=stretch.kind,
            vehicle=row + 1,
            plate=vehicle.plate,
            ident=vehicle.ident,
            subject=stretch.subject,
            started=started,
            ended=ended,
            details=stretch.details,
        )

    def _times(self, part: _Part, stretch: Stretch, until_us: int) -> list[tuple[int, int]]:
        """When the stretch is driven, each time it begins before `until_us`."""
        start, period = self.options.start_us, part.drive.period_s
        times = []
        phase = stretch.from_s - part.phase_s
        while (began := start + round(phase / part.pace * 1e6)) < until_us:
            times.append((began, began + round((stretch.to_s - stretch.from_s) / part.pace * 1e6)))
            phase += period
        return times

    def _offsets(self, interval_s: int) -> I64:
        """When in its interval each tracker takes its fix, to the resolution of its format."""
        rows = np.arange(len(self.vehicles), dtype=np.int64)
        offset_ms = np.floor(uniform(self.options.seed, rows, rows, 7) * interval_s * 1000)
        offset_us = offset_ms.astype(np.int64) * 1000
        return np.where(self._whole_seconds, offset_us // 1_000_000 * 1_000_000, offset_us)

    def _phases(self, row: I32, time: I64) -> F64:
        elapsed_s = (time - self.options.start_us) / 1e6
        return self._phase[row] + elapsed_s * self._pace[row]

    def _noisy(self, row: I32, time: I64, lon: F64, lat: F64, speed_kmh: F64) -> FixBatch:
        """What a receiver makes of the true motion."""
        seed = self.options.seed
        metres = POSITION_NOISE_M / 111_195.0
        stands = speed_kmh < 0.5
        speed = np.maximum(speed_kmh + SPEED_NOISE_KMH * normal(seed, row, time, 3), 0.0)
        return FixBatch.blank(
            len(row),
            vehicle=row,
            driver=row,
            time=time,
            received=time,
            lon=lon + metres * normal(seed, row, time, 1) / np.cos(np.radians(lat)),
            lat=lat + metres * normal(seed, row, time, 2),
            speed_kmh=np.where(stands, 0.0, speed),
            altitude=12 + 2 * normal(seed, row, time, 4),
            hdop=0.8 + 0.4 * uniform(seed, row, time, 5),
            satellites=9 + 6 * uniform(seed, row, time, 6),
            inputs=self._inputs(stands),
        )

    @staticmethod
    def _inputs(stands: Bool) -> U32:
        moving = inputs_word({Input.IGNITION: True, Input.DOOR: False})
        standing = inputs_word({Input.IGNITION: True, Input.DOOR: True})
        return np.where(stands, np.uint32(standing), np.uint32(moving)).astype(np.uint32)

    def _silent(self, row: I32, phase: F64) -> Bool:
        silent = np.zeros(len(row), np.bool_)
        for which, period, begin, end in self._silences:
            within = phase % period
            silent |= (row == which) & (within > begin) & (within < end)
        return silent

    def _passages(self) -> list[Passage]:
        """Every station on the way of every lorry."""
        found: list[Passage] = []
        stations_on = {
            id(drive): on_line(drive.line, self.world.stations) for drive in self._drives
        }
        for part, vehicle in zip(self._parts, self.vehicles, strict=True):
            if part.make not in LORRIES and not (part.script and part.script.load_kg):
                continue
            stations = stations_on[id(part.drive)]
            found.extend(self._passage(part, vehicle, station) for station in stations)
        return found

    def _passage(self, part: _Part, vehicle: SimulatedVehicle, station: StationRule) -> Passage:
        at = weigh_phase(part.drive, station)
        period_us = round(part.drive.period_s / part.pace * 1e6)
        first_us = round((at - part.phase_s) / part.pace * 1e6)
        make = part.make
        loaded = make.kerb_kg + (0.35 + 0.5 * (vehicle.number % 7) / 7) * make.cargo_kg
        axles = np.array(make.shares) * loaded
        if part.script and part.script.load_kg:
            axles = np.array(part.script.load_kg)
        speed = float(part.drive.sample(np.array([at]))[2][0] * part.pace)
        return Passage(
            vehicle, station, self.options.start_us + first_us % period_us, period_us, axles, speed
        )


def _codec(codec: str, number: int) -> str:
    return MIX[number % len(MIX)] if codec == "mix" else codec


def _cast(world: World, options: FleetOptions) -> list[_Part]:
    """Who does what: violators first, then everybody else in fixed shares."""
    rng = np.random.default_rng(options.seed)
    share = options.vehicles // SHARE_OF_VIOLATORS
    count = min(max(share, VIOLATORS_AT_LEAST), VIOLATORS_AT_MOST, options.vehicles)
    parts = _violating(violators(world, count), options, rng)
    drives: list[tuple[Make, Drive, tuple[str, ...]]] = [
        *[(BUS, bus_drive(world, route), (route.code,)) for route in world.routes],
        *[(make, lorry_drive(world, make, "vanh-dai-dong"), ()) for make in LORRIES],
        *[(make, lorry_drive(world, make, "vanh-dai-nam"), ()) for make in LORRIES],
        (CAR, car_drive(world, CAR, "vong-bac"), ()),
    ]
    shares = np.array([0.16, 0.14, 0.14, *[0.06] * 6, 0.2])
    if world.lines:
        more = _on_lines(world)
        drives += more
        shares = np.concatenate((shares / shares.sum(), np.full(len(more), 1.0 / len(more))))
    chosen = rng.choice(len(drives), options.vehicles - len(parts), p=shares / shares.sum())
    for which in chosen.tolist():
        make, drive, routes = drives[which]
        pace = float(rng.uniform(SLOWEST_PACE, 1.0))
        parts.append(_Part(make, drive, float(rng.uniform(0.0, drive.period_s)), pace, routes))
    return parts


def _on_lines(world: World) -> list[tuple[Make, Drive, tuple[str, ...]]]:
    """A car for every road that a user added, and a lorry for those where lorries may drive."""
    found: list[tuple[Make, Drive, tuple[str, ...]]] = []
    for number, road in enumerate(world.lines):
        found.append((CAR, car_drive(world, CAR, road), ()))
        if world.serves_lorries(road):
            make = LORRIES[number % len(LORRIES)]
            found.append((make, lorry_drive(world, make, road), ()))
    return found


def _violating(
    plan: Sequence[Script], options: FleetOptions, rng: np.random.Generator
) -> list[_Part]:
    """Violators join such that their first stretches are spread over the first `spread_s`."""
    kinds = len({id(script) for script in plan})
    copies = -(-len(plan) // max(kinds, 1))
    parts = []
    for number, script in enumerate(plan):
        first = min(script.stretches, key=lambda stretch: stretch.from_s)
        last = max(stretch.to_s for stretch in script.stretches)
        room = max(options.spread_s - (min(last, first.to_s + 400.0) - first.from_s) - 60.0, 0.0)
        # The copies of a script share the time out; a single one is not left to its very end.
        place = (number // kinds + float(rng.random()) * min(1.0, 0.3 * copies + 0.4)) / copies
        lead = 60.0 + room * place
        phase = float(np.clip(first.from_s - lead, *script.begins_s))
        routes = (script.route,) if script.route else ()
        parts.append(_Part(script.make, script.drive, phase, 1.0, routes, script))
    return parts
