"""Features of GeoParquet files (geoparquet.org, 1.0): rows with a column of WKB geometries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from hanhtrinh.offline.features import Feature
from hanhtrinh.offline.wrong_file import WrongFileError

SUFFIXES: Final = (".parquet", ".geoparquet")
_WGS_84: Final = {("OGC", "CRS84"), ("EPSG", "4326")}


class _Column(msgspec.Struct):
    encoding: str
    crs: dict[str, Any] | None = None


class _Geo(msgspec.Struct):
    primary_column: str
    columns: dict[str, _Column]


def each_row(file: Path) -> Iterator[Feature | WrongFileError]:
    """The rows of a file as features; for a row without a geometry, what is wrong with it.

    Raises WrongFileError where the file is no GeoParquet, or its places are not in WGS 84.
    """
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise WrongFileError(file, f"expected Parquet: {error}") from None
    name = _geometry_column(file, table.schema.metadata or {})
    wkb = table.column(name).to_numpy(zero_copy_only=False)
    geometries = shapely.from_wkb(wkb, on_invalid="ignore")
    rows = table.drop_columns([name]).to_pylist()
    for at, (row, geometry) in enumerate(zip(rows, geometries, strict=True)):
        if geometry is None:
            yield WrongFileError(
                file, "expected a geometry in WKB", line=at + 1, column=name, unit="row"
            )
            continue
        yield Feature(file, at, b"", 0, 0, shapely.geometry.mapping(geometry), row)


def _geometry_column(file: Path, metadata: dict[bytes, bytes]) -> str:
    try:
        geo = msgspec.json.decode(metadata.get(b"geo", b""), type=_Geo)
        column = geo.columns[geo.primary_column]
    except (msgspec.DecodeError, KeyError):
        raise WrongFileError(file, "expected the metadata of GeoParquet") from None
    if column.encoding != "WKB":
        raise WrongFileError(file, f"expected the encoding WKB, got {column.encoding!r}")
    known = (column.crs or {}).get("id") or {"authority": "OGC", "code": "CRS84"}
    crs = (str(known.get("authority")), str(known.get("code")))
    if crs not in _WGS_84:
        raise WrongFileError(file, f"expected places in WGS 84, got {crs[0]}:{crs[1]}")
    return geo.primary_column
