"""The file of a road network: made once from a map, read by whoever judges.

Belongs here: NumPy's .npz with the arrays of a network and the version of their layout.
"""

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from geofence.roads.matcher import RoadIndex
from geofence.roads.network import EDGE_DTYPE, SEGMENT_DTYPE, RoadNetwork
from geofence.roads.ways import WAY_DTYPE, WayList
from hanhtrinh.errors import CommandError
from hanhtrinh.road_import.geojson import read_geojson
from hanhtrinh.road_import.osm import read_osm
from hanhtrinh.road_import.report import ImportReport

LAYOUT: Final = 1
_ARRAYS: Final = {
    "ways": WAY_DTYPE,
    "edges": EDGE_DTYPE,
    "segments": SEGMENT_DTYPE,
    "nodes": np.dtype(np.float64),
    "loop_m": np.dtype(np.float64),
}
_GEOJSON: Final = (".geojson", ".json")
_OSM: Final = (".osm", ".pbf", ".osm.gz", ".osm.bz2")


def read_map(file: Path) -> tuple[WayList, ImportReport]:
    """The roads of a map; its name says the format."""
    if not file.is_file():
        raise CommandError(f"{file}: there is no such file")
    report = ImportReport()
    if file.name.endswith(_GEOJSON):
        return read_geojson(file, report), report
    if file.name.endswith(_OSM):
        return read_osm(file, report), report
    raise CommandError(f"{file}: expected a name that ends in one of {', '.join(_OSM + _GEOJSON)}")


def write_roads(network: RoadNetwork, file: Path) -> None:
    """Write the file of a network, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            arrays = {key: getattr(network, key) for key in _ARRAYS}
            np.savez_compressed(stream, layout=np.array(LAYOUT), **arrays)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_roads(file: Path) -> RoadIndex:
    """The index of the network in a file that `hanhtrinh roads import` made."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if int(stored["layout"]) != LAYOUT:
                raise CommandError(
                    f"{file}: layout: expected {LAYOUT}, got {int(stored['layout'])}; "
                    "import the map again"
                )
            arrays = {key: stored[key] for key in _ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CommandError(f"{file}: expected a file of hanhtrinh roads import: {error}") from error
    for key, dtype in _ARRAYS.items():
        if arrays[key].dtype != dtype:
            raise CommandError(f"{file}: {key}: expected {dtype}, got {arrays[key].dtype}")
    return RoadIndex.build(RoadNetwork(**arrays))
