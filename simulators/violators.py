"""Drives that break a rule, each in a known stretch: the planned violations.

Belongs here: one builder for every way in which a vehicle of the fleet offends. Does not belong
here: the rules' own arithmetic; each stretch follows from where and how fast the drive goes.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, cycle, islice
from typing import Final

import numpy as np

from devices.batch import F64, Bool
from simulators.drives import (
    STOP_STAY_S,
    car_drive,
    careful_caps,
    careful_drive,
    lorry_drive,
    route_halts,
    route_line,
)
from simulators.faults import ahead, cloned, lost, silent, unpowered
from simulators.hours import overtired
from simulators.masses import overload_kg
from simulators.motion import Drive, Halt, Line, plan_drive
from simulators.out_of_order import avoiding, elsewhere, late, unscheduled
from simulators.script import CONFIRM, RESOLUTION_S, REST_S, Script, before, runs_where
from simulators.stations import weigh_phase
from simulators.truth import Stretch
from simulators.vehicles import BUS, CAR, LORRIES, Make
from simulators.world import World

UNSEEN_S: Final = 1000.0
SPEEDING_S: Final = 20.0
OFF_ROUTE_S: Final = 120.0
CERTIFIED_KG: Final = {
    # May weigh more than roads bear, or too much in all would be too much cargo as well.
    "overload_gross": (34_000.0, 23_000.0),
    # May carry less than roads bear, or too much cargo would be too much on its axles as well.
    "overload_cargo": (16_000.0, 7_000.0),
}
"""Gross mass and cargo by the certificates of lorries that are overloaded in one respect alone,
where they are not those of their make."""


@lru_cache(maxsize=2)
def scripts(world: World) -> tuple[Script, ...]:
    """Every script there is, such that the first of them offend in every kind.

    They depend on the world alone, and finding their stretches is most of what a fleet costs.
    """
    return (
        speeding_bus(world),
        banned(world, "CAM-NOIDO", "duong-tat-noi-do", LORRIES[0]),
        watched(world, "TDOI-KHOXANG", "duong-kho-xang", CAR, 280.0),
        off_route(world, "2999.1101.A"),
        silent(LORRIES[1], lorry_drive(world, LORRIES[1], "vanh-dai-nam"), 0.55),
        overloaded(world, "overload_gross", LORRIES[2]),
        overloaded(world, "overload_axle", LORRIES[0]),
        overloaded(world, "overload_cargo", LORRIES[1]),
        unscheduled(world),
        elsewhere(world, "missed_stop", "bo-diem-dung"),
        elsewhere(world, "wrong_order", "nguoc-diem-dung"),
        lost(LORRIES[0], lorry_drive(world, LORRIES[0], "vanh-dai-nam"), 0.15),
        unpowered(CAR, car_drive(world, CAR, "vong-bac"), 0.75),
        cloned(CAR, car_drive(world, CAR, "vong-bac"), 0.35),
        avoiding(world, "CAN-BAC", "tranh-can-bac", LORRIES[1]),
        ahead(CAR, car_drive(world, CAR, "vong-bac")),
        late(world, "2999.1404.B"),
        *overtired(world),
        silent(LORRIES[0], lorry_drive(world, LORRIES[0], "vanh-dai-dong"), 0.45, UNSEEN_S),
        watched(world, "TDOI-MODA", "duong-mo-da", LORRIES[2], 45.0),
        speeding_on(world, CAR, "vong-bac", 99.0),
        banned(world, "CAM-CAUVAN", "duong-tat-cau-van", LORRIES[2]),
        off_route(world, "2999.1202.A"),
        speeding_on(world, LORRIES[1], "vanh-dai-nam", 88.0),
        off_route(world, "2999.1303.A"),
        silent(CAR, car_drive(world, CAR, "vong-bac"), 0.6),
    )


def violators(world: World, count: int, codec: str | None = None) -> list[Script]:
    """`count` scripts, those that can be again once all are used.

    codec: the only one that is spoken; None: every one is. Scripts that it cannot show are left
    out.
    """
    shown = [
        script
        for script in scripts(world)
        if codec is None or script.codecs is None or codec in script.codecs
    ]
    again = cycle(script for script in shown if not script.by_the_clock)
    return list(islice(chain(shown, again), count)) if count else []


def speeding_bus(world: World) -> Script:
    """A bus that hurries through a village of 50 km/h on its way out."""
    route = world.route("2999.1101.A")
    line, outbound_m = route_line(route)
    # It passes the stops of the village without a halt, or it would never get so fast.
    halts = [
        halt
        for halt in route_halts(route, outbound_m)
        if halt.stay_s > STOP_STAY_S or not _inside(world, "TD-LANGNON", line, halt.along_m)
    ]
    grid = line.grid([halt.along_m for halt in halts])
    lon, lat, _ = line.at(grid)
    hurries = world.inside("TD-LANGNON", lon, lat) & (grid < outbound_m)
    caps = np.where(hurries, 72.0 / 3.6, careful_caps(world, BUS, line, grid))
    drive = plan_drive(line, grid, caps, halts)
    return _speeding(world, BUS, drive, route.code)


def speeding_on(world: World, make: Make, road: str, kmh: float) -> Script:
    """A vehicle that goes too fast on the longest straight of its road."""
    line = world.roads[road]
    halts = [Halt(0.0, 60.0)]
    grid = line.grid([halt.along_m for halt in halts])
    longest = int(np.argmax(np.diff(line.along_m)))
    begin, end = line.along_m[longest], line.along_m[longest + 1]
    hurries = (grid > begin + 0.3 * (end - begin)) & (grid < begin + 0.7 * (end - begin))
    caps = np.where(hurries, kmh / 3.6, careful_caps(world, make, line, grid))
    return _speeding(world, make, plan_drive(line, grid, caps, halts), None)


def _speeding(world: World, make: Make, drive: Drive, route: str | None) -> Script:
    own = make.speed_limit_kmh

    def over(lon: F64, lat: F64, speed_kmh: F64) -> Bool:
        limit = world.limit_kmh(make.vehicle_class, own, lon, lat)
        return np.asarray(speed_kmh > limit, np.bool_)

    stretches = tuple(
        Stretch("speeding", "", begin, end, SPEEDING_S, 2, details=_fastest(drive, begin, end))
        for begin, end in runs_where(drive, over)
        if end - begin >= SPEEDING_S
    )
    return Script(make, drive, stretches, before(stretches), route)


def _fastest(drive: Drive, begin: float, end: float) -> dict[str, float]:
    speed = drive.sample(np.arange(begin, end, RESOLUTION_S))[2]
    return {"max_speed_kmh": round(float(speed.max()), 1)}


def banned(world: World, code: str, road: str, make: Make) -> Script:
    """A lorry that takes the short cut through a zone that is closed to it."""
    zone = next(zone for zone in world.zones if zone.code == code)
    drive = careful_drive(world, make, world.roads[road], [Halt(0.0, REST_S)])
    stretches = tuple(
        Stretch("banned_zone", code, begin, end, zone.min_duration_s, CONFIRM)
        for begin, end in runs_where(drive, lambda lon, lat, _: world.inside(code, lon, lat))
    )
    return Script(make, drive, stretches, (0.0, REST_S - 40.0))


def watched(world: World, code: str, road: str, make: Make, stay_s: float) -> Script:
    """A vehicle that calls at a watched place, and stays too long where there is a longest stay."""
    zone = next(zone for zone in world.zones if zone.code == code)
    line = world.roads[road]
    grid = line.grid(())
    lon, lat, _ = line.at(grid)
    along = float(grid[np.argmin(world.distance_to_centre_m(code, lon, lat))])
    drive = careful_drive(world, make, line, [Halt(0.0, REST_S), Halt(along, stay_s)])
    stretches: list[Stretch] = []
    for begin, end in runs_where(drive, lambda lon, lat, _: world.inside(code, lon, lat)):
        stretches.append(Stretch("zone_entry", code, begin, begin, 0.0, 0, CONFIRM))
        stretches.append(Stretch("zone_exit", code, end, end, 0.0, 0, CONFIRM))
        if zone.max_stay_s is not None and end - begin > zone.max_stay_s:
            over_s = zone.max_stay_s + 1e-6  # the bound itself is allowed
            stay = {"max_stay_s": zone.max_stay_s}
            stretches.append(Stretch("zone_dwell", code, begin, end, over_s, CONFIRM, details=stay))
    stretches += crossings(world, drive)
    return Script(make, drive, tuple(stretches), (0.0, REST_S - 40.0))


def crossings(world: World, drive: Drive) -> list[Stretch]:
    """Where the drive passes zones that are too narrow to be in, and ask for it."""
    found = []
    for zone in world.zones:
        if zone.crossings:
            for along in world.meets_m(zone.code, drive.line):
                at = drive.when(along)
                found.append(Stretch("crossing", zone.code, at, at, 0.0, 0, 1))
    return found


def off_route(world: World, code: str) -> Script:
    """A bus that leaves its announced road soon after its terminal and comes back to it."""
    route = world.route(code)
    detour = world.roads[f"re-ngang-{code}"]
    points = [*route.outbound["coordinates"]]
    first = _vertex(points, detour, 0)
    last = _vertex(points, detour, -1)
    around = list(zip(detour.lon.tolist(), detour.lat.tolist(), strict=True))
    there = [*points[:first], *around, *points[last + 1 :]]
    line = Line.of([*there, *route.inbound["coordinates"]])
    halts = [Halt(0.0, REST_S), Halt(Line.of(there).length_m, 300.0)]
    drive = careful_drive(world, BUS, line, halts)
    turned = drive.when(Line.of(there).length_m)

    def off(lon: F64, lat: F64, _: F64) -> Bool:
        return np.asarray(world.distance_m(code, lon, lat) > route.corridor_m, np.bool_)

    stretches = tuple(
        Stretch(
            *("off_route", code, begin, end, OFF_ROUTE_S, 2),
            details={"corridor_m": route.corridor_m},
        )
        for begin, end in runs_where(drive, off)
        if end < turned
    )
    # The trip must be seen to begin: the bus joins while it still stands in its terminal.
    return Script(BUS, drive, stretches, (0.0, REST_S - 60.0), code)


def overloaded(world: World, kind: str, make: Make) -> Script:
    """A lorry that carries too much past the static station, and on until it is weighed again.

    How much too much differs from lorry to lorry (`loaded`); here it is the median.
    """
    station = world.station("CAN-DONG")
    if kind in CERTIFIED_KG:
        gross_kg, cargo_kg = CERTIFIED_KG[kind]
        make = replace(make, gross_kg=gross_kg, cargo_kg=cargo_kg)
    drive = lorry_drive(world, make, "vanh-dai-dong")
    phase = weigh_phase(drive, station)
    axles = overload_kg(kind, make, 0.5)
    mass = {"gross_kg": round(sum(axles))}
    stretch = Stretch(kind, station.code, phase, phase, 0.0, 0, 0, details=mass)
    onward = Stretch(
        *("overloaded_stretch", station.code, phase, phase + drive.period_s, 0.0, 2, 0),
        details=mass,
    )
    plan = (stretch, onward, *_bridges(world, "vanh-dai-dong", drive, mass["gross_kg"]))
    return Script(make, drive, plan, before(plan[:2]), load_kg=axles, overload=kind)


def loaded(script: Script, share: float) -> Script:
    """The same script with another load of the same kind. share: how many have less, 0..1."""
    axles = overload_kg(script.overload, script.make, share)
    mass = {"gross_kg": round(sum(axles))}
    plan = tuple(
        replace(stretch, details={**stretch.details, **mass}) for stretch in script.stretches
    )
    return replace(script, stretches=plan, load_kg=axles)


def _bridges(world: World, road: str, drive: Drive, gross_kg: float) -> list[Stretch]:
    """Where a lorry of that mass passes signs of its road that allow less."""
    return [
        Stretch(
            *("bridge_limit", str(sign.way), drive.when(sign.from_m), drive.when(sign.to_m)),
            details={"gross_kg": gross_kg, "limit_kg": sign.max_weight_kg},
        )
        for sign in world.signs
        if sign.road == road and sign.max_weight_kg < gross_kg
    ]


def _inside(world: World, code: str, line: Line, along_m: float) -> bool:
    lon, lat, _ = line.at(np.array([along_m]))
    return bool(world.inside(code, lon, lat)[0])


def _vertex(points: Sequence[Sequence[float]], detour: Line, end: int) -> int:
    """Which vertex of the path the detour's first (0) or last (-1) vertex is."""
    return points.index([float(detour.lon[end]), float(detour.lat[end])])
