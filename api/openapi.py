"""The OpenAPI document: errors that each operation declares, and examples for all of them."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.encoding import GEOJSON
from api.models.base import Model
from api.models.journeys import JourneyCollection
from api.models.service import ProblemDetails
from api.models.vehicles import PositionCollection
from api.problems import CODES, MEDIA_TYPE

REFERENCE: Final = "#/components/schemas/{model}"
UNROUTED: Final = (ProblemDetails, PositionCollection, JourneyCollection)
"""Models that no operation names as its own; the document needs their schemas too."""

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str) -> Responses:
    """What an operation's `responses` say of the problems that it may answer with."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0], []).append(code)
    return {status: _problem(status, found) for status, found in by_status.items()}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": {
                "type": f"urn:hanhtrinh:problem:{code}",
                "title": CODES[code][1],
                "status": status,
                "detail": "what was expected, in words",
                "instance": "/api/v1/...",
                "code": code,
            }
        }
        for code in codes
    }
    return {
        "description": "; ".join(f"{code}: {CODES[code][1].lower()}" for code in codes),
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemDetails")},
                         "examples": examples}
        },
    }  # fmt: skip


def also_geojson(model: type[BaseModel]) -> Responses:
    """That an operation answers with GeoJSON too, of the form of `model`."""
    schema = {"$ref": REFERENCE.format(model=model.__name__)}
    return {200: {"content": {GEOJSON: {"schema": schema}}}}


def install(app: FastAPI) -> None:
    """Let the application show our document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    _, more = models_json_schema(
        [(model, "serialization") for model in UNROUTED], ref_template=REFERENCE
    )
    for name, schema in more["$defs"].items():
        schemas.setdefault(name, schema)
    # FastAPI leaves null out of what it encodes, and so out of examples.
    for name, examples in _examples(Model):
        if name in schemas:
            schemas[name]["examples"] = examples
    for operations in made["paths"].values():
        for operation in operations.values():
            _lift_examples(operation, schemas)
    return made


def _examples(base: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The examples of every model, by name."""
    for model in base.__subclasses__():
        extra = model.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and "examples" in extra:
            yield model.__name__, extra["examples"]
        yield from _examples(model)


def _lift_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give every body of an operation the example of its model."""
    bodies = [operation.get("requestBody", {})]
    bodies += [
        answer for status, answer in operation["responses"].items() if status.startswith("2")
    ]
    for body in bodies:
        for content in body.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            examples = schemas.get(name, {}).get("examples", [])
            if examples:
                content.setdefault("example", examples[0])
