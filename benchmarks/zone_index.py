"""How fast are the zones of points found? Baseline: shapely's bulk STRtree query, same points.

Three sets of zones by two kinds of points. Each answer is compared with shapely's for the points
that shapely was given. `--agree N` compares N million random points of the communes instead.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import shapely
from numpy.typing import NDArray

from benchmarks.parts.data import data_folder
from benchmarks.report import Result, rates
from devices.batch import F64
from geofence.geometry import Shape
from geofence.grid.build import Fineness
from geofence.grid.keep import kept_grid
from geofence.grid.layout import lay_out
from geofence.index import ZoneIndex

DATA = data_folder()
TOWNS = np.array(
    [[106.68, 10.78], [105.84, 21.02], [108.2, 16.06], [106.69, 20.86], [105.77, 10.03]]
)
Points = tuple[F64, F64]
Areas = NDArray[np.object_]


def communes() -> Areas:
    table = pyarrow.parquet.read_table(DATA / "vn_admin/wards_simpl_1e-4deg.parquet")
    return np.array(shapely.from_wkb(table["geometry"].to_pylist()))


def provinces() -> Areas:
    document = json.loads((DATA / "vn_admin/provinces34.geojson").read_text("utf-8"))
    return np.array([shapely.geometry.shape(f["geometry"]) for f in document["features"]])


def fences() -> Areas:
    """2,000 fences of a city, 0.5 to 8 km across, 50 to 300 vertices."""
    rng = np.random.default_rng(7)
    made = []
    for _ in range(2000):
        lon, lat = rng.normal(TOWNS[0], 0.12)
        vertices = int(rng.integers(50, 301))
        angle = np.sort(rng.uniform(0, 2 * np.pi, vertices))
        lobes = 0.25 * rng.uniform() * np.sin(3 * angle + rng.uniform(0, 6))
        radius = rng.uniform(0.5, 8) / 2 / 111 * (0.75 + lobes + rng.uniform(-0.05, 0.05, vertices))
        made.append(
            shapely.Polygon(
                np.column_stack([lon + radius * np.cos(angle), lat + radius * np.sin(angle)])
            )
        )
    return np.array(made)


SETS: dict[str, Callable[[], Areas]] = {
    "3,321 communes": communes,
    "2,000 fences of a city": fences,
    "34 provinces": provinces,
}


def uniform(areas: Areas, n: int) -> Points:
    west, south, east, north = shapely.total_bounds(areas)
    rng = np.random.default_rng(1)
    return rng.uniform(west, east, n), rng.uniform(south, north, n)


def clustered(areas: Areas, n: int) -> Points:
    """Around the towns that lie within the zones' box, 6.6 km to a standard deviation."""
    west, south, east, north = shapely.total_bounds(areas)
    inside = ([west, south] < TOWNS).all(axis=1) & ([east, north] > TOWNS).all(axis=1)
    rng = np.random.default_rng(2)
    at = rng.normal(rng.choice(TOWNS[inside], n), 0.06)
    return np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1])


def spent(work: Callable[[], object]) -> float:
    """Seconds of processor time of one run."""
    started = time.process_time()
    work()
    return time.process_time() - started


def pairs(tree: shapely.STRtree, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Point and zone of each hit by shapely, in our order."""
    point, zone = tree.query(shapely.points(*points), predicate="intersects")
    order = np.lexsort((zone, point))
    return point[order], zone[order]


def agrees(index: ZoneIndex, tree: shapely.STRtree, points: Points) -> bool:
    start, row = index.contains(*points)
    point, zone = pairs(tree, points)
    ours = np.repeat(np.arange(len(points[0])), np.diff(start))
    return np.array_equal(ours, point) and np.array_equal(row, zone)


def building(shapes: list[Shape], small: list[Shape]) -> dict[str, object]:
    """Seconds to build and to read again, with kernels compiled, and the memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept_grid(lay_out(small), Fineness(), folder)
        build = spent(lambda: kept_grid(lay_out(shapes), Fineness(), folder))
        read = spent(lambda: kept_grid(lay_out(shapes), Fineness(), folder))
    index = ZoneIndex(shapes)
    return {
        "vertices": int(shapely.get_num_coordinates([s.geometry for s in shapes]).sum()),
        "build_s": round(build, 2),
        "read_s": round(read, 2),
        "index_mb": round(index.nbytes / 1e6, 1),
    }


def measure(name: str, quick: bool) -> list[Result]:
    areas = SETS[name]()
    shapes = [Shape("polygon", area, 0.0) for area in areas]
    built = building(shapes, shapes[:5])
    index, tree = ZoneIndex(shapes), shapely.STRtree(areas)
    n, few = (300_000, 5_000) if quick else (2_000_000, 20_000)
    results = []
    for points in (uniform, clustered):
        many, some = points(areas, n), points(areas, few)

        def ours(many: Points = many) -> int:
            index.contains(*many)
            return n

        def baseline(some: Points = some) -> int:
            tree.query(shapely.points(*some), predicate="intersects")
            return few

        ours()
        hits = len(index.contains(*many)[1]) / n
        more = {**built, "hits_per_point": round(hits, 2), "agrees": agrees(index, tree, some)}
        results.append(
            Result(
                f"zones of points: {name}, {points.__name__} points", "points/s",
                *rates(ours, baseline, 3 if quick else 7),
                "shapely.STRtree.query(points, predicate='intersects')", more,
            )
        )  # fmt: skip
    return results


def compare(millions: int) -> None:
    """Compare with shapely on random points of the communes: half of them close to a border."""
    areas = communes()
    index = ZoneIndex([Shape("polygon", area, 0.0) for area in areas])
    tree = shapely.STRtree(areas)
    corners = shapely.get_coordinates(areas)
    rng = np.random.default_rng(11)
    box = shapely.total_bounds(areas)
    for number in range(millions * 4):
        lon, lat = rng.uniform(box[0], box[2], 250_000), rng.uniform(box[1], box[3], 250_000)
        if number % 2:
            first = rng.integers(0, len(corners) - 1, 250_000)
            share = rng.choice([0.0, 0.5, rng.uniform()], 250_000)[:, None]
            on = corners[first] + share * (corners[first + 1] - corners[first])
            lon, lat = (on + rng.choice([0.0, 1e-12, -1e-12], (250_000, 2))).T.copy()
        if not agrees(index, tree, (lon, lat)):
            raise SystemExit(f"differs from shapely in chunk {number}")
    print(f"{millions} million points: every answer is shapely's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller size, for a first look")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--agree", type=int, metavar="MILLIONS", help="only compare with shapely")
    arguments = parser.parse_args()
    if arguments.agree:
        compare(arguments.agree)
        return
    for name in SETS:
        try:
            results = measure(name, arguments.quick)
        except FileNotFoundError as missing:
            print(f"{name}: skipped, real data is missing: {missing.filename}")
            continue
        for result in results:
            if arguments.json:
                print(json.dumps(result.as_json()))
                continue
            print(f"{result.question}: ratio {result.ratio:.1f}")
            print(f"  ours {result.ours:,.0f}, baseline {result.baseline:,.0f} points/s")
            print(f"  {result.more}")


if __name__ == "__main__":
    main()
