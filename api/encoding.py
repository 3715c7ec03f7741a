"""How answers go out: rows encoded in one pass, as JSON or GeoJSON.

msgspec encodes the rows of `storage.reading` as they are: 50,000 of them in a tenth of a second,
which models that validate each value would take seconds for. Tests hold every answer against the
documented models.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from fastapi import Request, Response

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"

Form = Literal["json", "geojson"]


class Listed(msgspec.Struct, frozen=True):
    """A page of a list; next_cursor: where to go on, None at the end."""

    items: list[Any]
    next_cursor: str | None


def instant_text(microseconds: int) -> str:
    """An instant, microseconds since 1970-01-01 UTC, as RFC 3339 with milliseconds."""
    instant = EPOCH + timedelta(microseconds=microseconds)
    return f"{instant.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware instant, exactly."""
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def json_answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The value as JSON; NaN and None are null."""
    return Response(
        msgspec.json.encode(value), status, headers=dict(headers or {}), media_type=JSON
    )


def geojson_answer(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=GEOJSON)


def form_of(request: Request, wanted: Form | None) -> Form:
    """The form to answer in: what `format` says, else what the Accept header prefers, else JSON."""
    if wanted is not None:
        return wanted
    weights = {JSON: 0.0, GEOJSON: 0.0}
    for entry in request.headers.get("accept", "").split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        if media in weights:
            weights[media] = max(weights[media], _weight(parameters))
    return "geojson" if weights[GEOJSON] > weights[JSON] else "json"


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return 0.0
            return weight if math.isfinite(weight) else 0.0
    return 1.0
