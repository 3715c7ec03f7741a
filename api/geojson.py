"""GeoJSON (RFC 7946) as structs that msgspec encodes: positions are [lon, lat], WGS 84."""

from typing import Any

import msgspec


class Point(msgspec.Struct, frozen=True, gc=False, tag="Point", tag_field="type"):
    coordinates: tuple[float, float]


class Line(msgspec.Struct, frozen=True, tag="LineString", tag_field="type"):
    """At least two positions."""

    coordinates: list[tuple[float, float]]


class Feature(msgspec.Struct, frozen=True, tag="Feature", tag_field="type"):
    geometry: Point | Line
    properties: Any


class Collection(
    msgspec.Struct, frozen=True, tag="FeatureCollection", tag_field="type", omit_defaults=True
):
    """`next_cursor` and `journey` are foreign members, which RFC 7946 allows."""

    features: list[Any]
    next_cursor: str | None
    journey: Any = None
