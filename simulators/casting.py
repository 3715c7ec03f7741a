"""Casting: who of a fleet does what.

Belongs here: the parts of offenders and of everybody else, their codecs and their drivers. Does not
belong here: the fixes that follow (fleet.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.drives import bus_drive, car_drive, lorry_drive
from simulators.hours import LOCAL_US
from simulators.motion import Drive
from simulators.roster import Roster, lawful
from simulators.script import Script
from simulators.vehicles import BUS, CAR, LORRIES, MIX, NAMES_DRIVERS, Make
from simulators.violators import loaded, violators
from simulators.world import World

SLOWEST_PACE: Final = 0.88
"""A slow driver's clock runs at this pace, everybody's between it and 1."""

VIOLATORS_AT_LEAST: Final = 21
"""So many scripts offend in every kind."""

VIOLATORS_AT_MOST: Final = 60
SHARE_OF_VIOLATORS: Final = 11
"""One vehicle in so many offends, within those bounds."""

LOADS: Final = 8
"""The stream of chance that overloads are drawn from."""

UNNAMED_IN: Final = 25
"""One vehicle in so many has a reader that says the same for every driver."""

PLACEHOLDER: Final = "123451234512345"
"""What some senders say where nobody knows who drives (docs/codecs/ufms.md)."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """vehicles: how many. codec: one of CODECS, or "mix". start_us: when the simulation begins.

    spread_s: planned violations are first committed within so many seconds of the start, as far
    as the drives allow it. live_us: when real time begins, if not at the start.
    """

    vehicles: int
    seed: int = 1
    codec: str = "json"
    start_us: int = 0
    spread_s: float = 900.0
    live_us: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one vehicle does: its drive, how fast its clock runs, and its roster.

    since_s: how long before the start it began the first block of its roster.
    """

    make: Make
    drive: Drive
    pace: float
    roster: Roster
    since_s: float
    codec: str
    routes: tuple[str, ...] = ()
    script: Script | None = None

    @property
    def lap_s(self) -> float:
        """How long a lap takes."""
        return self.drive.period_s / self.pace


@dataclass(frozen=True, slots=True)
class _Role:
    """A part before it has a codec. phase_s: of an offender's drive at the start."""

    make: Make
    drive: Drive
    routes: tuple[str, ...] = ()
    pace: float = 1.0
    phase_s: float = 0.0
    script: Script | None = None


def cast(world: World, options: FleetOptions) -> list[Part]:
    """Who does what: violators first, then everybody else in fixed shares."""
    rng = np.random.default_rng(options.seed)
    share = options.vehicles // SHARE_OF_VIOLATORS
    count = min(max(share, VIOLATORS_AT_LEAST), VIOLATORS_AT_MOST, options.vehicles)
    codec = None if options.codec == "mix" else options.codec
    roles = _violating(violators(world, count, codec), options, rng)
    kinds, shares = _lawful_roles(world)
    left = options.vehicles - len(roles)
    chosen = rng.choice(len(kinds), left, p=shares / shares.sum())
    paces = rng.uniform(SLOWEST_PACE, 1.0, left)
    for which, pace in zip(chosen.tolist(), paces.tolist(), strict=True):
        make, drive, routes = kinds[which]
        roles.append(_Role(make, drive, routes, pace))
    codecs = _codecs(roles, options)
    since = rng.uniform(0.0, 1.0, len(roles)).tolist()
    return [
        _part(role, codec, number, part)
        for number, (role, codec, part) in enumerate(zip(roles, codecs, since, strict=True), 1)
    ]


def licences(parts: Sequence[Part]) -> tuple[str, ...]:
    """What the parts' trackers say of who drives: first of all first shifts, then of the second."""
    numbers = range(1, len(parts) + 1)
    first = [PLACEHOLDER if _is_unnamed(number) else f"0100{number:08d}" for number in numbers]
    return (*first, *(f"0200{number:08d}" for number in numbers))


def _is_unnamed(number: int) -> bool:
    return number % UNNAMED_IN == 0


def _part(role: _Role, codec: str, number: int, part_of_day: float) -> Part:
    """Whoever is known by a licence may share the vehicle with a second driver."""
    script = role.script
    lap_s = role.drive.period_s / role.pace
    if script is not None:
        roster = script.roster or lawful(lap_s)
        since_s = role.phase_s
    else:
        is_shared = codec in NAMES_DRIVERS and number % 2 == 0 and not _is_unnamed(number)
        roster = lawful(lap_s, 2 if is_shared else 1)
        since_s = part_of_day * roster.at_work_s(lap_s)
    return Part(role.make, role.drive, role.pace, roster, since_s, codec, role.routes, script)


Lawful = tuple[Make, Drive, tuple[str, ...]]


def _lawful_roles(
    world: World,
) -> tuple[list[Lawful], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """What the lawful do, and in which shares. Routes with a timetable are driven by it alone."""
    routes = [route for route in world.routes if not route.slots]
    roles: list[Lawful] = [
        *[(BUS, bus_drive(world, route), (route.code,)) for route in routes],
        *[(make, lorry_drive(world, make, "vanh-dai-dong"), ()) for make in LORRIES],
        *[(make, lorry_drive(world, make, "vanh-dai-nam"), ()) for make in LORRIES],
        (LORRIES[0], lorry_drive(world, LORRIES[0], "duong-can-bac"), ()),
        (CAR, car_drive(world, CAR, "vong-bac"), ()),
    ]
    shares = np.array([*[0.44 / len(routes)] * len(routes), *[0.05] * 6, 0.06, 0.2])
    if world.lines:
        more = _on_lines(world)
        roles += more
        shares = np.concatenate((shares / shares.sum(), np.full(len(more), 1.0 / len(more))))
    return roles, shares


def _on_lines(world: World) -> list[Lawful]:
    """A car for every road that a user added, and a lorry for those where lorries may drive."""
    found: list[Lawful] = []
    for number, road in enumerate(world.lines):
        found.append((CAR, car_drive(world, CAR, road), ()))
        if world.serves_lorries(road):
            make = LORRIES[number % len(LORRIES)]
            found.append((make, lorry_drive(world, make, road), ()))
    return found


def _violating(
    plan: Sequence[Script], options: FleetOptions, rng: np.random.Generator
) -> list[_Role]:
    """Violators join such that their first stretches are spread over the first `spread_s`."""
    kinds = len({id(script) for script in plan})
    copies = -(-len(plan) // max(kinds, 1))
    roles = []
    for number, script in enumerate(plan):
        draw = float(rng.random())
        routes = (script.route,) if script.route else ()
        if script.by_the_clock:
            phase = (options.start_us + LOCAL_US) / 1e6 % script.drive.period_s
        elif not script.stretches:
            phase = script.begins_s[0] + draw * (script.begins_s[1] - script.begins_s[0])
        else:
            # The copies of a script share the time out; a single one is not left to its very end.
            place = (number // kinds + draw * min(1.0, 0.3 * copies + 0.4)) / copies
            phase = _joins(script, options.spread_s, place)
        if script.overload:
            # Drawn apart: what nobody weighs stays as it is.
            share = np.random.default_rng((options.seed, number, LOADS)).random()
            script = loaded(script, float(share))  # noqa: PLW2901 - the same part, with its load
        roles.append(_Role(script.make, script.drive, routes, 1.0, phase, script))
    return roles


def _joins(script: Script, spread_s: float, place: float) -> float:
    """The phase at which an offender joins. place: where in the time to spread over, 0..1."""
    first = min(script.stretches, key=lambda stretch: stretch.from_s)
    last = max(stretch.to_s for stretch in script.stretches)
    room = max(spread_s - (min(last, first.to_s + 400.0) - first.from_s) - 60.0, 0.0)
    return float(np.clip(first.from_s - 60.0 - room * place, *script.begins_s))


def _codecs(roles: Sequence[_Role], options: FleetOptions) -> list[str]:
    """What each speaks. An offender whose format could not show it changes with somebody else."""
    if options.codec != "mix":
        return [options.codec] * len(roles)
    codecs = [MIX[number % len(MIX)] for number in range(1, len(roles) + 1)]
    bound = [row for row, role in enumerate(roles) if role.script and role.script.codecs]
    for row in bound:
        script = roles[row].script
        shown = script.codecs if script else None
        if shown is None or codecs[row] in shown:
            continue
        other = next(
            (at for at, name in enumerate(codecs) if name in shown and at not in bound), -1
        )
        if other >= 0:
            codecs[row], codecs[other] = codecs[other], codecs[row]
        else:
            codecs[row] = min(shown)
    return codecs
