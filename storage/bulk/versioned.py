"""Zones and routes of a file beside those that are registered: what is new, what changes, and when.

Belongs here: comparing and writing many of them as a whole. Nothing is retired because a file does
not name it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

import msgspec
from psycopg import AsyncConnection

from geofence.registry import BEGINNING_US, Route, Zone
from storage import registry
from storage.bulk.problems import Problem, Problems, Unit

T = TypeVar("T", Zone, Route)


class Place(NamedTuple):
    """Where in a file something stands, as in Problem."""

    file: str
    row: int
    column: str
    unit: Unit = "line"

    def problem(self, wrong: str) -> Problem:
        """What is wrong there."""
        return Problem(self.file, self.row, self.column, wrong, unit=self.unit)


@dataclass(slots=True)
class Plan(Generic[T]):
    """What becomes of the zones or routes of a file.

    added: under new codes. changed: the next versions of codes that are there, with the instant
    (microseconds) from which each holds. unchanged: how many are as they should be.
    """

    added: list[T] = field(default_factory=list)
    changed: list[tuple[T, int]] = field(default_factory=list)
    unchanged: int = 0


def plan(
    given: Sequence[tuple[T, Place]], newest: Mapping[str, T], now_us: int, problems: Problems
) -> Plan[T]:
    """Compare. newest: of the codes given, as registered. Reports what cannot be as the file says.

    now_us: from when what says no `valid_from` holds.
    """
    planned: Plan[T] = Plan()
    seen: dict[str, Place] = {}
    for thing, place in given:
        first = seen.setdefault(thing.code, place)
        there = newest.get(thing.code)
        begins = now_us if thing.valid_from == BEGINNING_US else thing.valid_from
        if first is not place:
            said = f"expected every code once, got {thing.code!r} as at {first.unit} {first.row}"
            problems.add(place.problem(said))
        elif thing.valid_to <= begins:
            problems.add(place.problem(f"expected a time that ends after it begins ({thing.code})"))
        elif there is None:
            planned.added.append(replace(thing, valid_from=begins))
        elif _facts(thing) == _facts(there):
            planned.unchanged += 1
        elif there.valid_to <= begins:
            said = f"expected a new code, got {thing.code!r}, which was retired before"
            problems.add(place.problem(said))
        elif there.valid_from >= begins:
            said = f"expected an instant after version {there.version} of {thing.code!r} began"
            problems.add(place.problem(said))
        elif there.operator_id != thing.operator_id:
            problems.add(place.problem(f"expected the operator that {thing.code!r} has"))
        else:
            planned.changed.append((thing, begins))
    return planned


def _facts(thing: T) -> bytes:
    """What a thing says but for what differs between its versions in any case.

    As JSON: the database gives lists back for tuples, and the keys of an object in its own order.
    """
    said = replace(thing, id=0, version=1, valid_from=BEGINNING_US)
    return msgspec.json.encode(said, order="deterministic")


async def write_zones(conn: AsyncConnection, planned: Plan[Zone]) -> None:
    """Write zones, in the caller's transaction. Raises RegistryError."""
    await registry.add_zones(conn, planned.added)
    await _replace(conn, planned, registry.replace_zone)


async def write_routes(conn: AsyncConnection, planned: Plan[Route]) -> None:
    """Write routes, in the caller's transaction. Raises RegistryError."""
    for route in planned.added:
        await registry.add_route(conn, route)
    await _replace(conn, planned, registry.replace_route)


async def _replace(
    conn: AsyncConnection,
    planned: Plan[T],
    replace_one: Callable[[AsyncConnection, T, int], Awaitable[T]],
) -> None:
    for thing, begins in planned.changed:
        await replace_one(conn, thing, begins)
