"""The fleet: many vehicles on few drives, sampled all at once, the same for the same seed.

Belongs here: the fixes of vehicles in motion, and what their trackers make of it. Does not belong
here: who does what (casting.py), what is planned (plan.py), wire formats, and the waiting for time
to pass.
"""

from typing import Final

import numpy as np

from devices.batch import F64, I32, I64, U32, Bool, FixBatch, Input, Quality, inputs_word
from geofence.registry import StationRule
from simulators.casting import FleetOptions, Part, cast, licences
from simulators.drives import on_line
from simulators.masses import lawful_kg
from simulators.motion import Drive
from simulators.noise import normal, uniform
from simulators.roster import Rosters
from simulators.script import runs_of
from simulators.stations import Passage, Weighbridges, weigh_phase
from simulators.tampering import CLONE_DEG, Tampering
from simulators.truth import FaultKind
from simulators.vehicles import (
    CODECS,
    LORRIES,
    MILLISECONDS,
    WITHIN_POLES,
    SimulatedVehicle,
    make_vehicle,
)
from simulators.world import World

__all__ = ["Fleet", "FleetOptions"]

POSITION_NOISE_M: Final = 2.0
SPEED_NOISE_KMH: Final = 0.4

TELLS_OF_TUNNELS: Final = 3
"""One tracker in so many sends in a tunnel that it does not know where it is; others are silent."""


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
        self.parts = cast(world, options)
        self.vehicles: tuple[SimulatedVehicle, ...] = tuple(
            make_vehicle(number, part.make, part.codec, part.routes)
            for number, part in enumerate(self.parts, 1)
        )
        self._drives = list({id(part.drive): part.drive for part in self.parts}.values())
        index = {id(drive): row for row, drive in enumerate(self._drives)}
        self._drive_of: I32 = np.array([index[id(p.drive)] for p in self.parts], np.int32)
        self._dark = [_dark(world, drive) for drive in self._drives]
        self._pace: F64 = np.array([part.pace for part in self.parts])
        self._since: F64 = np.array([part.since_s for part in self.parts])
        lap_s = np.array([part.drive.period_s for part in self.parts])
        self.rosters = Rosters([part.roster for part in self.parts], lap_s, self._pace)
        self._whole_seconds = np.array([v.codec not in MILLISECONDS for v in self.vehicles])
        # The codecs that are spoken, and which of them each vehicle speaks.
        self.codecs: tuple[str, ...] = tuple(sorted({v.codec for v in self.vehicles}))
        number = {name: at for at, name in enumerate(self.codecs)}
        self.codec_of: I32 = np.array([number[v.codec] for v in self.vehicles], np.int32)
        # Of each vehicle: whether its format can write exchanged axes.
        self.can_swap: Bool = np.array([v.codec not in WITHIN_POLES for v in self.vehicles])
        self.tampering = Tampering(self.parts, options)
        # A place that is wrong among those of two devices would be a third one.
        self.can_jump: Bool = ~np.isin(np.arange(len(self.parts)), self.tampering.cloned)
        self._known_offsets: dict[int, I64] = {}
        self.licences: tuple[str, ...] = licences(self.parts)
        laps = dict(enumerate(lap_s.tolist()))
        self.weighbridges = Weighbridges(self._passages(), self, laps, options.seed)

    @property
    def offenders(self) -> int:
        """How many vehicles have planned violations: the first rows of `vehicles`."""
        return sum(part.script is not None for part in self.parts)

    def due(self, from_us: int, to_us: int, interval_s: int) -> FixBatch:
        """The fixes that the trackers take in from_us <= received < to_us, in that order.

        `vehicle` is a row of `vehicles`, from 0, `driver` one of `licences`. Each tracker takes one
        fix every `interval_s`, at its own offset; asked for in parts or at once, they are the same.
        `time` is what the tracker's clock says, `received` the instant at which it takes the fix.
        """
        n = len(self.vehicles)
        vehicle = np.concatenate((np.arange(n, dtype=np.int32), self.tampering.cloned))
        first = self.options.start_us + np.concatenate(
            (self._offsets(interval_s), self._clone_offsets(interval_s))
        )
        interval = interval_s * 1_000_000
        begin = np.maximum(-((first - from_us) // interval), 0)
        count = np.maximum(-((first - to_us) // interval), 0) - begin
        source = np.repeat(np.arange(len(first)), count)
        turn = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count) + begin[source]
        time = first[source] + turn * interval
        order = np.lexsort((source, time))
        source = source[order]
        return self.sample(vehicle[source], time[order], source >= n)

    def fix_times(
        self, row: int, span_us: tuple[int, int], interval_s: int, fault: FaultKind | None = None
    ) -> I64:
        """When a vehicle takes fixes in a span (end excluded) that rules see; ascending.

        fault: those that have it instead.
        """
        offset = int(self._offsets(interval_s)[row])
        if fault == "cloned":
            at = self.tampering.cloned.tolist().index(row)
            offset = int(self._clone_offsets(interval_s)[at])
        first, interval = self.options.start_us + offset, interval_s * 1_000_000
        begin = max(-((first - span_us[0]) // interval), 0)
        time = first + np.arange(begin, max(-((first - span_us[1]) // interval), begin)) * interval
        rows = np.full(len(time), row, np.int32)
        phase, _, _ = self.phases(rows, time)
        if fault is not None:
            is_own = self._offsets(interval_s)[row] == offset
            shows = self.tampering.has(fault, rows, phase, time)
            shows &= ~self._kept_back(rows, phase, time)
            return time[shows & ~is_own] if fault == "cloned" else time[shows]
        unseen = self._in_dark(rows, phase)
        for kind in ("silent", "no_position", "ahead"):
            unseen |= self.tampering.has(kind, rows, phase, time)
        return time[~unseen]

    def phases(self, row: I32, time: I64) -> tuple[F64, Bool, I32]:
        """(phase of its drive, whether it rests, which shift's driver is in it) of vehicles."""
        elapsed_s = (time - self.options.start_us) / 1e6
        return self.rosters.phases(row, self._since[row] + elapsed_s)

    def times(self, row: I32, phase: F64) -> I64:
        """When vehicles come to these phases: microseconds since 1970-01-01 UTC."""
        return self._instants(self.rosters.times(row, phase) - self._since[row])

    def block_ends(self, row: I32, phase: F64) -> I64:
        """When vehicles next rest after these phases."""
        return self._instants(self.rosters.block_ends(row, phase) - self._since[row])

    def _instants(self, elapsed_s: F64) -> I64:
        return self.options.start_us + np.round(elapsed_s * 1e6).astype(np.int64)

    def sample(self, row: I32, time: I64, is_clone: Bool | None = None) -> FixBatch:
        """The fixes of vehicles `row` at these times, less those that their trackers keep back.

        is_clone: which another device takes that has a vehicle's identity; None: none.
        """
        if is_clone is None:
            is_clone = np.zeros(len(row), np.bool_)
        phase, rests, shift = self.phases(row, time)
        lon, lat, speed, heading, along = (np.empty(len(row)) for _ in range(5))
        drive = self._drive_of[row]
        order = np.argsort(drive, kind="stable")
        bounds = np.searchsorted(drive[order], np.arange(len(self._drives) + 1))
        for which, one in enumerate(self._drives):
            mine = order[bounds[which] : bounds[which + 1]]
            if len(mine):
                lon[mine], lat[mine], speed[mine], heading[mine] = one.sample(phase[mine])
                along[mine] = np.interp(phase[mine] % one.period_s, one.phase_s, one.along_m)
                along[mine] += phase[mine] // one.period_s * one.line.length_m
        speed *= self._pace[row]
        fixes = self._noisy(row, time, lon, lat, speed).with_columns(
            heading=heading.astype(np.float32) % 360,
            odometer=along.round(),
            driver=row + np.int32(len(self.vehicles)) * shift,
            inputs=self._inputs(row, phase, time, speed < 0.5, rests),
        )
        return self._tampered(fixes, row, phase, time, is_clone)

    def _tampered(
        self, fixes: FixBatch, row: I32, phase: F64, time: I64, is_clone: Bool
    ) -> FixBatch:
        """What the trackers make of it: kept back, without a place, elsewhere, at another time."""
        tells = row % TELLS_OF_TUNNELS == 0
        lost = self._in_dark(row, phase) & tells
        lost |= self.tampering.has("no_position", row, phase, time)
        silent = self._kept_back(row, phase, time)
        silent |= is_clone & ~self.tampering.has("cloned", row, phase, time)
        fixes = fixes.with_columns(
            time=time + self.tampering.ahead_us(row, time),
            lon=np.where(lost, 0.0, fixes.lon + CLONE_DEG * is_clone),
            lat=np.where(lost, 0.0, fixes.lat),
            speed_kmh=np.where(lost, np.float32(0.0), fixes.speed_kmh),
            quality=np.where(lost, np.uint16(Quality.NO_POSITION), fixes.quality),
        )
        return fixes.take(~silent) if silent.any() else fixes

    def _offsets(self, interval_s: int) -> I64:
        """When in its interval each tracker takes its fix, to the resolution of its format."""
        if interval_s not in self._known_offsets:
            self._known_offsets = {interval_s: self._new_offsets(interval_s)}
        return self._known_offsets[interval_s]

    def _new_offsets(self, interval_s: int) -> I64:
        rows = np.arange(len(self.vehicles), dtype=np.int64)
        offset_ms = np.floor(uniform(self.options.seed, rows, rows, 7) * interval_s * 1000)
        offset_us = offset_ms.astype(np.int64) * 1000
        return np.where(self._whole_seconds, offset_us // 1_000_000 * 1_000_000, offset_us)

    def _clone_offsets(self, interval_s: int) -> I64:
        """The same of the devices that have another's identity: between two fixes of its own."""
        own = self._offsets(interval_s)[self.tampering.cloned]
        whole = self._whole_seconds[self.tampering.cloned]
        half = np.where(whole, interval_s // 2 * 1_000_000, interval_s * 500_000)
        return (own + half) % (interval_s * 1_000_000)

    def _kept_back(self, row: I32, phase: F64, time: I64) -> Bool:
        """Which fixes are not sent: of a tunnel by those who do not tell of it, or in a silence."""
        dark: Bool = self._in_dark(row, phase) & (row % TELLS_OF_TUNNELS != 0)
        return dark | self.tampering.has("silent", row, phase, time)

    def _in_dark(self, row: I32, phase: F64) -> Bool:
        """Which fixes are taken in a tunnel."""
        dark = np.zeros(len(row), np.bool_)
        drive = self._drive_of[row]
        for which, runs in enumerate(self._dark):
            if runs:
                mine = np.flatnonzero(drive == which)
                within = phase[mine] % self._drives[which].period_s
                for begin, end in runs:
                    dark[mine] |= (within >= begin) & (within <= end)
        return dark

    def _noisy(self, row: I32, time: I64, lon: F64, lat: F64, speed_kmh: F64) -> FixBatch:
        """What a receiver makes of the true motion."""
        seed = self.options.seed
        metres = POSITION_NOISE_M / 111_195.0
        stands = speed_kmh < 0.5
        speed = np.maximum(speed_kmh + SPEED_NOISE_KMH * normal(seed, row, time, 3), 0.0)
        return FixBatch.blank(
            len(row),
            vehicle=row,
            time=time,
            received=time,
            lon=lon + metres * normal(seed, row, time, 1) / np.cos(np.radians(lat)),
            lat=lat + metres * normal(seed, row, time, 2),
            speed_kmh=np.where(stands, 0.0, speed),
            altitude=12 + 2 * normal(seed, row, time, 4),
            hdop=0.8 + 0.4 * uniform(seed, row, time, 5),
            satellites=9 + 6 * uniform(seed, row, time, 6),
        )

    def _inputs(self, row: I32, phase: F64, time: I64, stands: Bool, rests: Bool) -> U32:
        """Ignition and door of everybody; power of those who will lose it."""
        words = [
            np.uint32(inputs_word({Input.IGNITION: on, Input.DOOR: is_open}))
            for on, is_open in ((True, False), (True, True), (False, True))
        ]
        word = np.where(stands, np.where(rests, words[2], words[1]), words[0]).astype(np.uint32)
        cut = self.tampering.has("no_power", row, phase, time)
        tells = np.isin(row, self.tampering.unpowered)
        word[tells] |= np.uint32(inputs_word({Input.POWER_CUT: False}))
        word[cut] |= np.uint32(inputs_word({Input.POWER_CUT: True}))
        return word

    def _passages(self) -> list[Passage]:
        """Every station on the way of every lorry."""
        found: list[Passage] = []
        stations: dict[int, list[tuple[StationRule, float, float]]] = {}
        for drive in self._drives:
            passed = on_line(drive.line, self.world.stations)
            phases = [weigh_phase(drive, station) for station in passed]
            speeds = drive.sample(np.array(phases))[2].tolist() if phases else []
            stations[id(drive)] = list(zip(passed, phases, speeds, strict=True))
        for row, part in enumerate(self.parts):
            if part.make in LORRIES or (part.script and part.script.load_kg):
                axles = self._load(row, part)
                found.extend(
                    Passage(row, self.vehicles[row], station, at, axles, kmh * part.pace)
                    for station, at, kmh in stations[id(part.drive)]
                )
        return found

    def _load(self, row: int, part: Part) -> F64:
        """What the vehicle's axles bear, on every lap."""
        if part.script and part.script.load_kg:
            return np.array(part.script.load_kg)
        of = np.array([row], np.int64)
        return np.array(lawful_kg(part.make, float(uniform(self.options.seed, of, of, 8)[0])))


def _dark(world: World, drive: Drive) -> list[tuple[float, float]]:
    """The phases over which a drive is in a tunnel."""
    lon, lat, _ = drive.line.at(drive.along_m)
    runs = runs_of(world.in_tunnel(lon, lat))
    return [(float(drive.phase_s[begin]), float(drive.phase_s[end])) for begin, end in runs]
