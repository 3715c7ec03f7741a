"""Roads for the simulated fleet, from a GeoJSON file of LineStrings."""

from pathlib import Path

from geofence.errors import GeometryError
from geofence.geometry import parse_path
from hanhtrinh.offline.features import Feature, read_features
from hanhtrinh.offline.wrong_file import WrongFileError
from simulators.errors import LineError
from simulators.lines import road_of
from simulators.motion import Line


def read_lines(file: Path) -> dict[str, Line]:
    """The roads of a FeatureCollection by name. Raises WrongFileError naming line and place.

    A road's name is `features[0]` and so on. Properties are not read.
    """
    found = {f"features[{feature.row}]": _road(feature) for feature in read_features(file)}
    if not found:
        raise WrongFileError(file, "expected at least one LineString, got none")
    return found


def _road(feature: Feature) -> Line:
    try:
        return road_of(parse_path(feature.geometry))
    except GeometryError as error:
        raise feature.wrong(error.place, error.reason) from None
    except LineError as error:
        raise feature.wrong("geometry.coordinates", str(error)) from None
