"""`--roads`: a network of roads, made already or made here of a map."""

from pathlib import Path
from typing import Final

from geofence.roads.matcher import RoadIndex
from geofence.roads.network import RoadNetwork
from hanhtrinh.offline.wrong_file import WrongFileError
from hanhtrinh.road_import import files

MADE: Final = ".npz"


def read_roads(file: Path) -> tuple[RoadIndex, list[str]]:
    """The roads of a file, and what of a map could not be used. Raises CommandError."""
    if not file.is_file():
        raise WrongFileError(file, "expected a file of roads, there is none")
    if file.suffix == MADE:
        return files.read_roads(file), []
    ways, report = files.read_map(file)
    network = RoadNetwork.build(ways.ways())
    return RoadIndex.build(network), [f"{file}: {problem}" for problem in report.problems]
