"""Routes as arrays, and which vehicle is registered for which of them when.

Belongs here: checking routes of the registry and laying them out for kernels.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64
from devices.compile import inlined_kernel
from geofence.errors import GeometryError, RegistryError
from geofence.geometry import parse_path
from geofence.hours import DAYS
from geofence.paths import Paths
from geofence.registry import Route, RouteSlot, VehicleRule

LEAST_SLOTS: Final = 2

CLOCK: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")

ROUTE_DTYPE: Final = np.dtype(
    [
        ("terminal_a", np.int32),  # place of the terminal, as in ZONE_DTYPE
        ("terminal_b", np.int32),
        ("corridor_m", np.float64),
        ("valid_from", np.int64),
        ("valid_to", np.int64),
    ]
)


def _check_values(route: Route, terminals: Sequence[str]) -> None:
    if not 0.0 < route.corridor_m < float("inf"):
        raise RegistryError(f"corridor_m: expected metres over 0, got {route.corridor_m}")
    if route.valid_from >= route.valid_to:
        raise RegistryError(f"valid_to: expected after {route.valid_from}, got {route.valid_to}")
    for key, code in (("terminal_a", route.terminal_a), ("terminal_b", route.terminal_b)):
        if code not in terminals:
            raise RegistryError(f"{key}: expected the code of a terminal zone, got {code!r}")
    for number, slot in enumerate(route.slots):
        try:
            check_slot(slot)
        except RegistryError as error:
            raise RegistryError(f"slots[{number}].{error}") from error


def check_slot(slot: RouteSlot) -> None:
    """Raises RegistryError, which names the property that is wrong."""
    if slot.direction not in ("outbound", "inbound"):
        raise RegistryError(f"direction: expected outbound or inbound, got {slot.direction!r}")
    if not CLOCK.fullmatch(slot.departs):
        raise RegistryError(f"departs: expected HH:MM from 00:00 to 23:59, got {slot.departs!r}")
    if slot.days is not None:
        wrong = [day for day in slot.days if day not in DAYS]
        if wrong or not slot.days or len(set(slot.days)) < len(slot.days):
            raise RegistryError(f"days: expected some of {', '.join(DAYS)}, got {slot.days!r}")
    if slot.valid_from and slot.valid_to and slot.valid_from >= slot.valid_to:
        raise RegistryError(f"valid_to: expected after {slot.valid_from}, got {slot.valid_to}")


def check_route(route: Route, terminals: Sequence[str]) -> tuple[F64, F64]:
    """A route's outbound and inbound path, shape (k, 2). Raises RegistryError.

    terminals: codes of the zones of kind terminal. What writes routes to the registry calls it
    first, so that a rulebook can always be built.
    """
    try:
        _check_values(route, terminals)
        return parse_path(route.outbound, "outbound"), parse_path(route.inbound, "inbound")
    except (GeometryError, RegistryError) as error:
        raise RegistryError(f"route {route.code!r} version {route.version}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class RouteTable:
    """Routes by row, and the periods of each vehicle's registrations.

    rows: shape (r,), ROUTE_DTYPE. paths: outbound and inbound of route i are 2 * i and 2 * i + 1.
    slots: how many routes a vehicle can be on at one time, R.
    period_start: shape (n_vehicles + 1,), offsets into the periods by vehicle id.
    period_route, period_slot, period_from, period_to: row of the route, the vehicle's slot for
        it, and when; of two periods of one slot at one time the first counts.
    unknown: (vehicle id, route code) of registrations for routes that are not there.
    """

    rows: np.ndarray[tuple[int], np.dtype[np.void]]
    paths: Paths
    slots: int
    period_start: I64
    period_route: I32
    period_slot: I32
    period_from: I64
    period_to: I64
    unknown: tuple[tuple[int, str], ...]

    def slots_of_vehicles(self) -> I32:
        """How many slots each vehicle ever needs, shape (n_vehicles,); 0: it is on no route."""
        slots = np.zeros(len(self.period_start) - 1, np.int32)
        vehicle = np.repeat(np.arange(len(slots)), np.diff(self.period_start))
        np.maximum.at(slots, vehicle, self.period_slot + 1)
        return slots

    @classmethod
    def build(
        cls,
        routes: Sequence[Route],
        terminals: Mapping[str, int],
        vehicles: Sequence[VehicleRule],
        n_vehicles: int,
    ) -> "RouteTable":
        """The table of some routes; `terminals`: places of terminal zones by code."""
        codes = tuple(terminals)
        lines = [path for route in routes for path in check_route(route, codes)]
        rows = np.zeros(len(routes), ROUTE_DTYPE)
        for at, route in enumerate(routes):
            rows[at] = (
                terminals[route.terminal_a],
                terminals[route.terminal_b],
                route.corridor_m,
                route.valid_from,
                route.valid_to,
            )
        by_code = _rows_by_code(routes)
        periods = [
            (vehicle.id, *period)
            for vehicle in sorted(vehicles, key=lambda v: v.id)
            for period in _periods(vehicle, routes, by_code)
        ]
        table = np.array(periods, np.int64).reshape(-1, 5)
        counts = np.bincount(table[:, 0], minlength=n_vehicles)
        return cls(
            rows=rows,
            paths=Paths.build(lines),
            slots=max(LEAST_SLOTS, int(table[:, 2].max(initial=-1)) + 1),
            period_start=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
            period_route=table[:, 1].astype(np.int32),
            period_slot=table[:, 2].astype(np.int32),
            period_from=np.ascontiguousarray(table[:, 3]),
            period_to=np.ascontiguousarray(table[:, 4]),
            unknown=tuple(
                (vehicle.id, registered.route_code)
                for vehicle in vehicles
                for registered in vehicle.routes
                if registered.route_code not in by_code
            ),
        )


def _rows_by_code(routes: Sequence[Route]) -> dict[str, list[int]]:
    """Rows of the versions of each code, the newest version first."""
    by_code: dict[str, list[int]] = {}
    for row in sorted(range(len(routes)), key=lambda at: -routes[at].version):
        by_code.setdefault(routes[row].code, []).append(row)
    return by_code


def _periods(
    vehicle: VehicleRule, routes: Sequence[Route], by_code: Mapping[str, list[int]]
) -> list[tuple[int, int, int, int]]:
    """(route row, slot, from, to) of a vehicle; a code keeps its slot through versions and time."""
    taken: list[dict[str, tuple[int, int]]] = []
    periods: list[tuple[int, int, int, int]] = []
    for registered in sorted(vehicle.routes, key=lambda r: (r.valid_from, r.route_code)):
        code = registered.route_code
        if code not in by_code:
            continue
        slot = _free_slot(taken, code, registered.valid_from)
        taken[slot][code] = (registered.valid_from, registered.valid_to)
        for row in by_code[code]:
            begins = max(registered.valid_from, routes[row].valid_from)
            ends = min(registered.valid_to, routes[row].valid_to)
            if begins < ends:
                periods.append((row, slot, begins, ends))
    return periods


def _free_slot(taken: list[dict[str, tuple[int, int]]], code: str, begins: int) -> int:
    """The slot where the code is already, else the first that no other code has from then on."""
    for slot, codes in enumerate(taken):
        if code in codes and all(ends <= begins for c, (_, ends) in codes.items() if c != code):
            return slot
    for slot, codes in enumerate(taken):
        if all(ends <= begins for _, ends in codes.values()):
            return slot
    taken.append({})
    return len(taken) - 1


@inlined_kernel
def route_in_force(
    vehicle: int,
    slot: int,
    time: int,
    start: I64,
    period_route: I32,
    period_slot: I32,
    period_from: I64,
    period_to: I64,
) -> int:
    """The row of the route in one slot of a vehicle at an instant, -1 none."""
    route = -1
    for p in range(start[vehicle], start[vehicle + 1]):
        if period_slot[p] == slot and period_from[p] <= time < period_to[p]:
            route = period_route[p]
            break
    return route
