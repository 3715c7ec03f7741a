"""What can be asked: the query parameters of every list, each with its bounds.

A parameter that is not one of the list's is refused: a misspelt filter must not show everything.
"""

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.cursors import MOST_CHARACTERS
from api.encoding import Form
from api.models.base import TEXT, Instant, Text, VehicleId, ZoneKind
from api.models.reviews import FILE_NAME
from api.problems import Flaw, Problem
from storage.reading.positions import Box
from storage.reading.violations import Review, Status
from storage.reviews.files import LONGEST_NAME

SEPARATORS: Final = re.compile(r"[\s.\-]")
MOST_CORNERS: Final = 200


def _plate(value: Any) -> Any:
    """Capital letters and digits: 51b-123.45 is 51B12345."""
    return SEPARATORS.sub("", value).upper() if isinstance(value, str) else value


Plate = Annotated[str, BeforeValidator(_plate), Field(pattern=r"^[A-Z0-9]{1,12}$", max_length=12)]
PlateOrPrefix = Annotated[
    str, BeforeValidator(_plate), Field(pattern=r"^[A-Z0-9]{1,12}\*?$", max_length=13)
]
Name = Annotated[str, Field(pattern=TEXT, min_length=1, max_length=200)]

Cursor = Annotated[
    str | None,
    Field(
        max_length=MOST_CHARACTERS,
        description="next_cursor of the page before; nothing: the first page.",
    ),
]
OfOperator = Annotated[Name | None, Field(description="Code of an operator.")]
OfVehicle = Annotated[
    VehicleId | None, Field(description="Number of a vehicle (an identity, no unit).")
]
From = Annotated[
    Instant | None, Field(alias="from", description="Earliest instant, RFC 3339, inclusive.")
]
To = Annotated[Instant | None, Field(alias="to", description="Latest instant, exclusive.")]
At = Annotated[
    Instant | None,
    Field(description="Show the versions in force at this instant; nothing: the newest ones."),
]
Retired = Annotated[bool, Field(description="Show those that are retired too.")]
FormParameter = Annotated[
    Form | None, Field(description="Form of the answer; nothing: what the Accept header prefers.")
]


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class VehicleQuery(Query):
    plate: Annotated[
        PlateOrPrefix | None,
        Field(description="A plate, with or without separators; a * at its end: beginning so."),
    ] = None
    operator: OfOperator = None
    retired: Retired = False
    limit: Annotated[int, Field(ge=1, le=5_000, description="Vehicles on a page (count).")] = 500
    cursor: Cursor = None


class BoxQuery(Query):
    bbox: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Area as west,south,east,north in degrees WGS 84; its edges belong to it.",
            examples=["106.5,10.6,106.9,11.0"],
        ),
    ] = None

    def box(self) -> Box | None:
        """The area. Raises Problem."""
        if self.bbox is None:
            return None
        try:
            box = Box(*map(float, self.bbox.split(",")))
        except (TypeError, ValueError):
            box = None
        # Comparisons written so that NaN fails them.
        if (
            box is None
            or not (-180 <= box.west <= box.east <= 180)
            or not (-90 <= box.south <= box.north <= 90)
        ):
            expected = "west,south,east,north in degrees, west up to east and south up to north"
            flaw = Flaw("query.bbox", expected)
            raise Problem("invalid_request", f"bbox: expected {expected}", flaws=[flaw])
        return box


class PositionQuery(BoxQuery):
    operator: OfOperator = None
    since: Annotated[
        Instant | None, Field(description="Leave out vehicles not heard of since this instant.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100_000, description="Positions on a page (count).")] = (
        100_000
    )
    cursor: Cursor = None
    format: FormParameter = None


class PassageQuery(BoxQuery):
    polygon: Annotated[
        str | None,
        Field(
            max_length=8_000,
            description="Area by its corners, lon,lat in degrees WGS 84, with ; between them; at "
            "most 200. Its edges belong to it.",
            examples=["106.68,10.76;106.72,10.76;106.7,10.8"],
        ),
    ] = None
    start: Annotated[Instant, Field(alias="from", description="Beginning, inclusive.")]
    end: Annotated[Instant, Field(alias="to", description="End, exclusive.")]
    limit: Annotated[int, Field(ge=1, le=5_000, description="Vehicles on a page (count).")] = 1_000
    cursor: Cursor = None

    def corners(self) -> list[tuple[float, float]] | None:
        """The polygon's corners, lon and lat. Raises Problem."""
        if self.polygon is None:
            return None
        try:
            corners = [
                (float(lon), float(lat))
                for lon, lat in (pair.split(",") for pair in self.polygon.split(";"))
            ]
        except ValueError:
            corners = []
        if not (
            3 <= len(corners) <= MOST_CORNERS
            and all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in corners)
        ):
            expected = f"3 to {MOST_CORNERS} corners lon,lat in degrees, with ; between them"
            flaw = Flaw("query.polygon", expected)
            raise Problem("invalid_request", f"polygon: expected {expected}", flaws=[flaw])
        return corners


class WindowQuery(Query):
    start: Annotated[
        Instant | None,
        Field(alias="from", description="Beginning, inclusive; nothing: a day before the end."),
    ] = None
    end: Annotated[
        Instant | None, Field(alias="to", description="End, exclusive; nothing: now.")
    ] = None


class JourneyQuery(WindowQuery):
    limit: Annotated[int, Field(ge=1, le=50_000, description="Fixes on a page (count).")] = 10_000
    cursor: Cursor = None
    format: FormParameter = None


class VisitQuery(Query):
    zone: Annotated[Name | None, Field(description="Code of a zone.")] = None
    start: From = None
    end: To = None
    limit: Annotated[int, Field(ge=1, le=1_000, description="Visits on a page (count).")] = 100
    cursor: Cursor = None


class QuarantineQuery(Query):
    reason: Annotated[Name | None, Field(description="Only what was refused for this.")] = None
    sender: Annotated[Name | None, Field(description="Only what this one sent.")] = None
    since: Annotated[
        Instant | None, Field(description="Leave out hours that ended before this instant.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="Groups at most (count).")] = 1_000


class ViolationQuery(Query):
    kind: Annotated[
        list[Name], Field(max_length=50, description="Kinds; repeat it for several; none: any.")
    ] = []
    vehicle: OfVehicle = None
    operator: OfOperator = None
    subject: Annotated[
        Text | None,
        Field(
            description="Code of a zone, route or weigh station, or map id of a road, it is about."
        ),
    ] = None
    start: From = None
    end: To = None
    status: Annotated[
        list[Status],
        Field(max_length=10, description="Repeat it for several; none: all but withdrawn."),
    ] = []
    review: Annotated[
        list[Review], Field(max_length=10, description="Repeat it for several; none: any.")
    ] = []
    flagged: Annotated[
        bool | None,
        Field(description="Whether late data revised the facts after people had judged them."),
    ] = None
    proposed: Annotated[
        bool | None, Field(description="Whether a decision waits for a second person.")
    ] = None
    min_duration_s: Annotated[
        float | None, Field(ge=0, description="Shortest duration, seconds.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1_000, description="Violations on a page (count).")] = 100
    cursor: Cursor = None


class AttachmentQuery(Query):
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_NAME,
            pattern=FILE_NAME,
            description="Name of the file, without a path.",
            examples=["lenh-van-chuyen.pdf"],
        ),
    ]


class WeighingQuery(Query):
    station: Annotated[Name | None, Field(description="Code of a weigh station.")] = None
    vehicle: OfVehicle = None
    plate: Annotated[
        Plate | None, Field(description="A plate, as the station read it or as registered.")
    ] = None
    operator: OfOperator = None
    start: From = None
    end: To = None
    min_gross_kg: Annotated[float | None, Field(ge=0, description="Least gross mass, kg.")] = None
    limit: Annotated[int, Field(ge=1, le=1_000, description="Weighings on a page (count).")] = 100
    cursor: Cursor = None


class ZoneQuery(Query):
    kind: Annotated[ZoneKind | None, Field(description="A kind of zone.")] = None
    operator: OfOperator = None
    at: At = None
    retired: Retired = False
    limit: Annotated[int, Field(ge=1, le=1_000, description="Zones on a page (count).")] = 100
    cursor: Cursor = None


class RouteQuery(Query):
    operator: OfOperator = None
    at: At = None
    retired: Retired = False
    limit: Annotated[int, Field(ge=1, le=1_000, description="Routes on a page (count).")] = 100
    cursor: Cursor = None


class VersionQuery(Query):
    version: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="A version (a count from 1); newest.")
    ] = None


class MonthQuery(Query):
    month: Annotated[
        str,
        Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description="A local month, YYYY-MM."),
    ]


class FleetMonthQuery(MonthQuery):
    limit: Annotated[int, Field(ge=1, le=250, description="Vehicles on a page (count).")] = 100
    cursor: Cursor = None


class RepairQuery(Query):
    repair: Annotated[
        bool,
        Field(description="Close open rings and make invalid polygons valid, and say so."),
    ] = False


class AuditQuery(Query):
    actor: Annotated[
        Name | None, Field(description="Only what this one did, such as `person an`.")
    ] = None
    action: Annotated[Name | None, Field(description="Only this, such as put_zone.")] = None
    limit: Annotated[int, Field(ge=1, le=5_000, description="Rows on a page (count).")] = 100
    cursor: Cursor = None


class DriverQuery(Query):
    operator: OfOperator = None
    retired: Retired = False
    limit: Annotated[int, Field(ge=1, le=5_000, description="Drivers on a page (count).")] = 500
    cursor: Cursor = None


class DeviceQuery(Query):
    ident: Annotated[Name | None, Field(description="IMEI, serial or user name.")] = None
    operator: OfOperator = None
    provider: Annotated[Name | None, Field(description="Code of a provider.")] = None
    silent_since: Annotated[
        Instant | None, Field(description="Only those not heard of since this instant.")
    ] = None
    retired: Retired = False
    limit: Annotated[int, Field(ge=1, le=5_000, description="Devices on a page (count).")] = 500
    cursor: Cursor = None


RowsOnPage = Annotated[int, Field(ge=1, le=5_000, description="Rows on a page (count).")]


class OperatorQuery(Query):
    operator: OfOperator = None
    retired: Retired = False
    limit: RowsOnPage = 500
    cursor: Cursor = None


class CarriedQuery(OperatorQuery):
    vehicle: OfVehicle = None


class AssignmentQuery(CarriedQuery):
    device: Annotated[
        VehicleId | None, Field(description="Number of a device (an identity, no unit).")
    ] = None


class VehicleRouteQuery(CarriedQuery):
    route: Annotated[Name | None, Field(description="Code of a route.")] = None


class StationQuery(Query):
    code: Annotated[Name | None, Field(description="Code of a weigh station.")] = None
    retired: Retired = False
    limit: RowsOnPage = 500
    cursor: Cursor = None


class HistoryQuery(Query):
    limit: RowsOnPage = 100
    cursor: Cursor = None


Reason = Annotated[
    Text | None,
    Field(description="Why, for the history and the audit; no names of drivers: it is kept."),
]


class ReasonQuery(Query):
    reason: Reason = None


class EndQuery(ReasonQuery):
    at: Annotated[Instant | None, Field(description="When it ended, RFC 3339; nothing: now.")] = (
        None
    )


class ImportQuery(ReasonQuery):
    dry_run: Annotated[
        bool, Field(description="Say what is wrong and what would change; write nothing.")
    ] = False
    sheet: Annotated[Name | None, Field(description="Sheet of a workbook; nothing: its first.")] = (
        None
    )
