"""Roads of OpenStreetMap files: .osm, .osm.gz, .osm.bz2, .osm.pbf.

Belongs here: reading ways and the places of their nodes with pyosmium.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

import osmium
import osmium.filter
import osmium.osm

from geofence.roads.ways import WayList
from hanhtrinh.errors import CommandError
from hanhtrinh.road_import.report import ImportReport, Problem
from hanhtrinh.road_import.tags import read_road

Vertex = tuple[float, float, int]


def read_osm(file: Path, report: ImportReport) -> WayList:
    """The roads of a file. Raises CommandError if it cannot be read."""
    ways = WayList()
    try:
        processor = (
            osmium.FileProcessor(str(file), osmium.osm.NODE | osmium.osm.WAY)
            .with_locations()
            .with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
            .with_filter(osmium.filter.KeyFilter("highway"))
        )
        for way in processor:
            _add(way, ways, report)
    except (RuntimeError, OSError) as error:
        raise CommandError(f"{file}: expected an OpenStreetMap file: {error}") from error
    return ways


def _add(way: Any, ways: WayList, report: ImportReport) -> None:
    road = read_road(way.id, {tag.k: tag.v for tag in way.tags}, report)
    if road is None:
        return
    for piece in _pieces(way, report):
        ways.add(road.attributes, piece[::-1] if road.is_reversed else piece)
        report.ways += 1


def _pieces(way: Any, report: ImportReport) -> list[list[Vertex]]:
    """The vertices of a way, in pieces where extracts have cut nodes away."""
    missing = [node.ref for node in way.nodes if not node.location.valid()]
    runs = groupby(way.nodes, key=lambda node: node.location.valid())
    pieces = [
        [(node.location.lon, node.location.lat, node.ref) for node in nodes]
        for is_there, nodes in runs
        if is_there
    ]
    kept = [piece for piece in pieces if len(piece) >= 2]
    if missing or not kept:
        got = f"nodes {', '.join(map(str, missing[:3]))}" if missing else f"{len(way.nodes)} nodes"
        report.problems.append(
            Problem(way.id, "nodes", got, "two or more nodes, all of them in the file")
        )
    return kept
