"""The OpenAPI document: complete, and true of what is encoded."""

import re

import msgspec
import pytest

from api.app import serve_app
from api.geojson import Collection
from api.models import (
    activities,
    devices,
    drivers,
    journeys,
    rates,
    registry,
    reviews,
    routes,
    service,
    stations,
    timetables,
    vehicles,
    violations,
    weighings,
    zones,
)
from api.options import ApiOptions
from api.problems import CODES, MEDIA_TYPE, Flaw
from api.resources.activities import (
    ActivityShown,
    DayShown,
    DaysShown,
    HourShown,
    HoursShown,
    MonthShown,
    VehicleShown,
)
from api.resources.areas import PassageShown
from api.resources.journeys import Stop, Summary, Trip
from api.resources.rates import RateShown
from api.resources.reviews import HistoryShown, OutcomeShown, OutcomesShown
from api.resources.routes import RouteWithVersions
from api.resources.timetables import SlotShown, TimetableShown
from api.resources.violations import Evidence, ViolationWithEvidence
from api.resources.zones import ZoneWithVersions
from storage.access.devices import DeviceHealth
from storage.access.drivers import Driver
from storage.reading import registered
from storage.reading.counts import ViolationCount
from storage.reading.journeys import EvidenceFix, Fix
from storage.reading.positions import Position
from storage.reading.quarantine import QuarantineGroup, QuarantineReason
from storage.reading.rollups import Activity
from storage.reading.routes import Route
from storage.reading.vehicles import BoundRoute, CarriedDevice, Vehicle, Visit
from storage.reading.violations import Version, Violation
from storage.reading.weighings import Axle, Weighing
from storage.reading.zones import VersionInForce, Zone
from storage.reviews.attachments import Attachment
from storage.reviews.steps import TakenStep
from tests.api.server import document, models

DOCUMENT = document()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
UNITS = re.compile(
    r"km/h|metres|seconds|degrees|\bkg\b|\(count\)|\(a count from 1\)|no unit|dimensionless"
    r"|\(a number\)|minutes|bytes|percent"
)


def numbers(schema):
    """Whether a schema is of a number, or of a list or choice of numbers."""
    if schema.get("type") in {"number", "integer"}:
        return True
    inner = [*schema.get("anyOf", []), *schema.get("prefixItems", [])]
    if isinstance(schema.get("items"), dict):
        inner.append(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        inner.append(schema["additionalProperties"])
    return any(numbers(part) for part in inner)


def properties():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for key, value in schema.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_every_property_is_described_and_every_number_has_a_unit():
    found = dict(properties())
    assert len(found) > 150
    for place, schema in found.items():
        assert schema.get("description"), place
        if numbers(schema):
            assert UNITS.search(schema["description"]), f"{place}: {schema['description']}"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_is_described_with_parameters_examples_and_errors(method, path, operation):
    assert operation["summary"]
    assert operation["description"]
    for parameter in operation.get("parameters", []):
        text = parameter.get("description") or parameter["schema"].get("description")
        assert text, parameter["name"]
        if numbers(parameter["schema"]):
            assert UNITS.search(text), f"{parameter['name']}: {text}"
    (success,) = [a for s, a in operation["responses"].items() if s.startswith("2")]
    for content in success["content"].values():
        assert content["example"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content["example"]
    errors = {s: a for s, a in operation["responses"].items() if not s.startswith("2")}
    assert errors
    for status, answer in errors.items():
        (content,) = answer["content"].items()
        assert content[0] == MEDIA_TYPE
        for code, example in content[1]["examples"].items():
            assert CODES[code][0] == int(status) == example["value"]["status"]
            service.ProblemDetails.model_validate(example["value"])


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_but_the_services_own_needs_a_token(method, path, operation):
    is_open = path.rpartition("/")[2] in {"health", "ready", "metrics"} or (
        (method, path) == ("POST", "/api/v1/session")
    )
    assert ("security" not in operation) == is_open
    assert ("401" not in operation["responses"]) == (is_open and method == "GET")


def test_examples_have_the_form_that_they_are_examples_of():
    app = serve_app(ApiOptions(), "")
    for (path, method), model in models(app).items():
        if model is None:
            continue
        body = DOCUMENT["paths"][path][method.lower()]["responses"]
        (success,) = [a for s, a in body.items() if s.startswith("2")]
        model.model_validate_json(
            msgspec.json.encode(success["content"]["application/json"]["example"])
        )
    for model in (
        zones.NewZone, zones.ZoneReplacement, routes.NewRoute, routes.RouteReplacement,
        reviews.NewStep, reviews.NewSteps,
        registry.NewOperator, registry.OperatorFacts, registry.NewVehicle, registry.VehicleFacts,
        registry.NewDevice, registry.DeviceFacts, registry.NewDriver, registry.DriverFacts,
        registry.NewAssignment, registry.NewBadge, registry.NewVehicleRoute, stations.NewStation,
        stations.StationFacts, stations.NewCalibration,
    ):  # fmt: skip
        example = DOCUMENT["components"]["schemas"][model.__name__]["examples"][0]
        model.model_validate_json(msgspec.json.encode(example))


@pytest.mark.parametrize(
    ("struct", "model"),
    [
        (Position, vehicles.Position),
        (Vehicle, vehicles.Vehicle),
        (BoundRoute, vehicles.BoundRoute),
        (CarriedDevice, vehicles.CarriedDevice),
        (Visit, vehicles.Visit),
        (Fix, journeys.Fix),
        (Stop, journeys.Stop),
        (Trip, journeys.Trip),
        (Summary, journeys.Summary),
        (Violation, violations.Violation),
        (ViolationWithEvidence, violations.ViolationDetail),
        (Version, violations.Version),
        (Evidence, violations.Evidence),
        (EvidenceFix, violations.EvidenceFix),
        (TakenStep, reviews.TakenStep),
        (HistoryShown, reviews.ReviewHistory),
        (OutcomeShown, reviews.StepOutcome),
        (OutcomesShown, reviews.StepOutcomes),
        (Attachment, reviews.Attachment),
        (Weighing, weighings.Weighing),
        (Axle, weighings.Axle),
        (Zone, zones.Zone),
        (ZoneWithVersions, zones.ZoneDetail),
        (VersionInForce, zones.VersionInForce),
        (Route, routes.Route),
        (RouteWithVersions, routes.RouteDetail),
        (Activity, activities.Done),
        (ActivityShown, activities.DoneAndCounted),
        (HourShown, activities.HourDone),
        (DayShown, activities.DayDone),
        (VehicleShown, activities.VehicleDone),
        (HoursShown, activities.Hours),
        (DaysShown, activities.Days),
        (MonthShown, activities.OperatorMonth),
        (ViolationCount, activities.ViolationCount),
        (PassageShown, activities.Passage),
        (RateShown, rates.MonthlyRate),
        (TimetableShown, timetables.Timetable),
        (SlotShown, timetables.TimetableSlot),
        (QuarantineReason, service.QuarantineReason),
        (QuarantineGroup, service.QuarantineGroup),
        (Flaw, service.Flaw),
        (Driver, drivers.Driver),
        (DeviceHealth, devices.DeviceHealth),
        (registered.Operator, registry.Operator),
        (registered.Assignment, registry.Assignment),
        (registered.Badge, registry.Badge),
        (registered.VehicleRoute, registry.VehicleRoute),
        (registered.Station, stations.Station),
        (registered.Calibration, stations.Calibration),
        (registered.Change, registry.Change),
    ],
)
def test_what_is_encoded_has_the_fields_that_are_documented(struct, model):
    encoded = {field.encode_name for field in msgspec.structs.fields(struct)}
    documented = {field.alias or name for name, field in model.model_fields.items()}
    assert encoded == documented


def test_no_model_takes_what_it_does_not_know():
    allowed = {"Geometry"}
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if schema.get("type") == "object" and name not in allowed:
            assert schema.get("additionalProperties") is False, name


def test_a_collection_without_a_journey_has_no_journey():
    assert b"journey" not in msgspec.json.encode(Collection([], None))
