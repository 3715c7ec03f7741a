"""Parts that models share: their base, instants, places, names."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
TEXT: Final = r"^[^\x00-\x1f\x7f]*$"
CODE: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
MOST_ID: Final = (1 << 31) - 1


class Model(BaseModel):
    """A documented object: nothing in it is undocumented."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _refuse_instant() -> NoReturn:
    raise ValueError(
        "an instant as RFC 3339 writes it, 2026-05-04T08:00:00Z or 2026-05-04T15:00:00+07:00 "
        "(a + in an address is written %2B)"
    )


def _instant_text(value: Any) -> Any:
    if not isinstance(value, datetime) and not (
        isinstance(value, str) and INSTANT.fullmatch(value)
    ):
        _refuse_instant()
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        _refuse_instant()


Instant = Annotated[AwareDatetime, BeforeValidator(_instant_text), AfterValidator(_utc)]
"""RFC 3339 in, with any offset; UTC inside; out always UTC with milliseconds."""

Text = Annotated[str, Field(max_length=200, pattern=TEXT)]
Code = Annotated[str, Field(pattern=CODE)]
VehicleId = Annotated[int, Field(ge=1, le=MOST_ID)]
Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]

VehicleKind = Literal["rigid", "tractor_semi", "rigid_trailer", "bus", "car"]
ZoneKind = Literal["speed", "banned", "terminal", "stop", "watch"]
StationKind = Literal["static", "wim"]
Direction = Literal["outbound", "inbound"]


class Geometry(BaseModel):
    """A GeoJSON geometry (RFC 7946), WGS 84, positions as [lon, lat]."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[
        str,
        Field(
            description="Kind of geometry.",
            json_schema_extra={
                "enum": ["Polygon", "MultiPolygon", "Point", "LineString", "MultiLineString"]
            },
        ),
    ]
    coordinates: Annotated[
        list[Any],
        Field(description="Positions [lon, lat] in degrees WGS 84, nested as the kind asks for."),
    ]


class PointGeometry(Model):
    """A GeoJSON Point."""

    type: Annotated[Literal["Point"], Field(description="Always Point.")]
    coordinates: Annotated[tuple[float, float], Field(description="[lon, lat], degrees WGS 84.")]


NextCursor = Annotated[
    str | None,
    Field(
        description="Send it as `cursor` to get the next page; null on the last page.",
        examples=["WyJ2aW9sYXRpb25zIiwxNzc3ODgxNjAwMDAwMDAwLDQyXQ"],
    ),
]
