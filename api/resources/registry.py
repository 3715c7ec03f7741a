"""The registry: operators, vehicles, devices, drivers, badges, weigh stations, what binds them.

What each is made of, as the registry takes it; the operations are those of `api.registering`.
Lists and pages of vehicles, devices and drivers that were there before are beside this file.
"""

from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec

from api.access import Session, closed_router
from api.encoding import microseconds
from api.models import devices, drivers, registry, stations, vehicles
from api.models.base import Model
from api.queries import (
    AssignmentQuery,
    CarriedQuery,
    OperatorQuery,
    StationQuery,
    VehicleRouteQuery,
)
from api.registering import (
    Thing,
    add_history,
    add_list,
    add_make,
    add_put,
    add_retire,
    add_show,
)
from geofence.registry import BEGINNING_US, END_US
from storage.access import devices as device_pages
from storage.access import drivers as driver_pages
from storage.reading import registered
from storage.reading import vehicles as vehicle_pages
from storage.registry import records

Made = TypeVar("Made", bound=records.Record)

authority = closed_router("registry", changes="register")
own = closed_router("registry")
"""What operators register themselves."""
health = closed_router("devices", reads="devices")


def _finder(shown: type[msgspec.Struct]) -> Any:
    async def find(session: Session, number: int) -> msgspec.Struct | None:
        page = await registered.page(session.conn, shown, retired=True, id=number)
        return next(iter(page.rows), None)

    return find


async def _vehicle(session: Session, number: int) -> vehicle_pages.Vehicle | None:
    return await vehicle_pages.vehicle(session.conn, number)


async def _device(session: Session, number: int) -> device_pages.DeviceHealth | None:
    page = await device_pages.health(session.conn, number=number, retired=True)
    return next(iter(page.rows), None)


async def _driver(session: Session, number: int) -> driver_pages.Driver | None:
    return await driver_pages.driver(session.conn, number)


OPERATOR: Final = Thing(
    "operator", "/operators", "an operator", registry.Operator, _finder(registered.Operator)
)
VEHICLE: Final = Thing("vehicle", "/vehicles", "a vehicle", vehicles.Vehicle, _vehicle)
DEVICE: Final = Thing("device", "/devices", "a device", devices.DeviceHealth, _device)
DRIVER: Final = Thing("driver", "/drivers", "a driver", drivers.Driver, _driver)
ASSIGNMENT: Final = Thing(
    "assignment", "/assignments", "what a device is in", registry.Assignment,
    _finder(registered.Assignment),
)  # fmt: skip
BADGE: Final = Thing("badge", "/badges", "a badge", registry.Badge, _finder(registered.Badge))
VEHICLE_ROUTE: Final = Thing(
    "vehicle_route", "/vehicle-routes", "a vehicle's route", registry.VehicleRoute,
    _finder(registered.VehicleRoute),
)  # fmt: skip
STATION: Final = Thing(
    "station", "/stations", "a weigh station", stations.Station, _finder(registered.Station)
)
CALIBRATION: Final = Thing(
    "calibration", "/calibrations", "a calibration", stations.Calibration,
    _finder(registered.Calibration),
)  # fmt: skip


class Lasting(Protocol):
    """Facts that hold for a span of time."""

    @property
    def valid_from(self) -> datetime | None: ...

    @property
    def valid_to(self) -> datetime | None: ...


def _span(session: Session, facts: Lasting) -> dict[str, int]:
    """From when to when facts hold: from now, and for ever, where they do not say."""
    since, until = facts.valid_from, facts.valid_to
    return {
        "valid_from": session.scope.now_us if since is None else microseconds(since),
        "valid_to": END_US if until is None else microseconds(until),
    }


async def _owner(session: Session, operator: str | None) -> str | None:
    """The operator that is named; else the caller's own, if it has one."""
    if operator is None and session.scope.operator_id is not None:
        return await registered.operator_code(session.conn, session.scope.operator_id)
    return operator


def _record(kind: type[Made], facts: Model, **more: Any) -> Made:
    """The record with these facts; fields that are both are `more`'s."""
    return kind(**{**facts.model_dump(), **more})


async def _new_operator(_: Session, facts: registry.NewOperator) -> records.Record:
    return _record(records.OperatorRecord, facts)


async def _changed_operator(
    _: Session, found: registered.Operator, facts: registry.OperatorFacts
) -> records.Record:
    return _record(records.OperatorRecord, facts, code=found.code)


async def _new_vehicle(session: Session, facts: registry.NewVehicle) -> records.Record:
    return _record(records.VehicleRecord, facts, **_span(session, facts))


async def _changed_vehicle(
    _: Session, __: vehicle_pages.Vehicle, facts: registry.VehicleFacts
) -> records.Record:
    since = BEGINNING_US if facts.valid_from is None else microseconds(facts.valid_from)
    return _record(records.VehicleRecord, facts, valid_from=since)


async def _new_device(session: Session, facts: registry.NewDevice) -> records.Record:
    return _record(records.DeviceRecord, facts, operator=await _owner(session, facts.operator))


async def _changed_device(
    session: Session, found: device_pages.DeviceHealth, facts: registry.DeviceFacts
) -> records.Record:
    operator = await _owner(session, facts.operator)
    return _record(records.DeviceRecord, facts, ident=found.ident, operator=operator)


async def _new_driver(session: Session, facts: registry.NewDriver) -> records.Record:
    return _record(records.DriverRecord, facts, operator=await _owner(session, facts.operator))


async def _changed_driver(
    session: Session, found: driver_pages.Driver, facts: registry.DriverFacts
) -> records.Record:
    operator = await _owner(session, facts.operator)
    return _record(records.DriverRecord, facts, licence=found.licence, operator=operator)


async def _new_assignment(session: Session, facts: registry.NewAssignment) -> records.Record:
    return _record(records.AssignmentRecord, facts, **_span(session, facts))


async def _new_badge(session: Session, facts: registry.NewBadge) -> records.Record:
    return _record(records.BadgeRecord, facts, **_span(session, facts))


async def _new_vehicle_route(session: Session, facts: registry.NewVehicleRoute) -> records.Record:
    return _record(records.VehicleRouteRecord, facts, **_span(session, facts))


async def _new_station(_: Session, facts: stations.NewStation) -> records.Record:
    return _record(records.StationRecord, facts)


async def _changed_station(
    _: Session, found: registered.Station, facts: stations.StationFacts
) -> records.Record:
    return _record(records.StationRecord, facts, code=found.code)


async def _new_calibration(session: Session, facts: stations.NewCalibration) -> records.Record:
    return _record(records.CalibrationRecord, facts, **_span(session, facts))


add_list(authority, OPERATOR, registered.Operator, OperatorQuery, registry.OperatorPage)
add_make(authority, OPERATOR, registry.NewOperator, _new_operator)
add_show(authority, OPERATOR)
add_put(authority, OPERATOR, registry.OperatorFacts, _changed_operator)
add_retire(authority, OPERATOR)
add_history(authority, OPERATOR)

add_make(authority, VEHICLE, registry.NewVehicle, _new_vehicle)
add_put(
    authority, VEHICLE, registry.VehicleFacts, _changed_vehicle,
    "A change of what fixes are judged by, or of the operator, ends this registration where the "
    "next begins, now or at `valid_from`: the answer shows that one, under its own number. Devices "
    "stay in the vehicle; badges and routes end where the operator changes.",
)  # fmt: skip
add_retire(authority, VEHICLE)
add_history(authority, VEHICLE)

add_make(own, DEVICE, registry.NewDevice, _new_device)
add_show(health, DEVICE)
add_put(own, DEVICE, registry.DeviceFacts, _changed_device)
add_retire(own, DEVICE)
add_history(own, DEVICE)

add_list(own, ASSIGNMENT, registered.Assignment, AssignmentQuery, registry.AssignmentPage)
add_make(own, ASSIGNMENT, registry.NewAssignment, _new_assignment)
add_show(own, ASSIGNMENT)
add_retire(own, ASSIGNMENT, spans=True)
add_history(own, ASSIGNMENT)

add_make(own, DRIVER, registry.NewDriver, _new_driver)
add_put(own, DRIVER, registry.DriverFacts, _changed_driver)
add_retire(own, DRIVER, path="/retirement")
add_history(own, DRIVER, drivers.DriverHistory)

add_list(authority, BADGE, registered.Badge, CarriedQuery, registry.BadgePage)
add_make(authority, BADGE, registry.NewBadge, _new_badge)
add_show(authority, BADGE)
add_retire(authority, BADGE, spans=True)
add_history(authority, BADGE)

add_list(
    authority, VEHICLE_ROUTE, registered.VehicleRoute, VehicleRouteQuery, registry.VehicleRoutePage
)
add_make(authority, VEHICLE_ROUTE, registry.NewVehicleRoute, _new_vehicle_route)
add_show(authority, VEHICLE_ROUTE)
add_retire(authority, VEHICLE_ROUTE, spans=True)
add_history(authority, VEHICLE_ROUTE)

add_list(authority, STATION, registered.Station, StationQuery, stations.StationPage)
add_make(authority, STATION, stations.NewStation, _new_station)
add_show(authority, STATION)
add_put(
    authority, STATION, stations.StationFacts, _changed_station,
    "Every fact is given anew, and holds from now on: what was weighed before, and who drove round "
    "the station before, is judged by what it was then.",
)  # fmt: skip
add_retire(authority, STATION)
add_history(authority, STATION)

add_list(authority, CALIBRATION, registered.Calibration, StationQuery, stations.CalibrationPage)
add_make(authority, CALIBRATION, stations.NewCalibration, _new_calibration)
add_show(authority, CALIBRATION)
add_retire(authority, CALIBRATION, spans=True)
add_history(authority, CALIBRATION)
