"""How often is the road of a fix right, and how fast? Baseline: the nearest road, by shapely.

The nearest road is what products do that ask a map for the roads around a fix. Parallel roads 15 m
apart with different limits are made; real traces are those of fcd_oberfranken, whose routes people
matched. No map comes with them: the network is made of all routes together, each with a copy 15 m
aside that has another limit. Real maps have more roads to mistake, and fewer that lie so close.
"""

import numpy as np
import shapely

from benchmarks.parts.data import data_folder
from benchmarks.parts.road_scenes import (
    COPY,
    city,
    country,
    is_on_route,
    parallels,
    read_traces,
    ways_of,
)
from benchmarks.report import Result, rate, rates, run
from devices.batch import F64, I32, Bool, FixBatch
from geofence.profile import shipped_profile
from geofence.roads.matcher import Matched, RoadIndex, RoadMatcher
from geofence.roads.network import RoadNetwork
from geofence.rulebook import Rulebook

BATCH = 4096
PARAMS = Rulebook.build([shipped_profile()], [], [], []).params
CONFIDENT = shipped_profile().number("roads.confidence")


def match(matcher: RoadMatcher, fixes: FixBatch) -> Matched:
    return matcher.advance(
        fixes, fixes.speed_kmh.astype(np.float64), np.zeros(len(fixes), np.int32)
    )


def tree_of(network: RoadNetwork) -> shapely.STRtree:
    columns = [network.segments[name] for name in ("lon1", "lat1", "lon2", "lat2")]
    return shapely.STRtree(shapely.linestrings(np.column_stack(columns).reshape(-1, 2, 2)))


def nearest(network: RoadNetwork, tree: shapely.STRtree, fixes: FixBatch) -> F64:
    """Row of the edge nearest to each fix."""
    found = tree.nearest(shapely.points(fixes.lon, fixes.lat))
    return np.asarray(network.segments["edge"][found])


def shares(right: Bool, sure: Bool) -> str:
    """Of all fixes: right and used, wrong and used, not used."""
    used = right[sure].sum() / len(right), (~right[sure]).sum() / len(right)
    return f"right {used[0]:.1%}, wrong {used[1]:.1%}, below confidence {(~sure).mean():.1%}"


def of_parallels(sigma_m: float, kept: float, vehicles: int) -> str:
    right, sure, near = [], [], []
    for turned in (0.0, 30.0, 72.0, 90.0, 141.0):
        scene = parallels(turned, sigma_m, kept, vehicles, seed=int(turned))
        network = scene.network
        matched = match(RoadMatcher(RoadIndex.build(network), PARAMS), scene.fixes)
        limit = network.ways["forward_kmh"][network.edges["row"]]
        right.append(limit[matched.edge] == scene.limit_kmh)
        sure.append((matched.edge >= 0) & (matched.confidence >= CONFIDENT))
        near.append(limit[nearest(network, tree_of(network), scene.fixes)] == scene.limit_kmh)
    found = shares(np.concatenate(right), np.concatenate(sure))
    return f"{found}; nearest road right {np.concatenate(near).mean():.1%}"


def of_country(fixes: int, repeats: int) -> dict[str, object]:
    """Speed on the main roads of a country, a vehicle's fixes together, all in one batch."""
    file = data_folder() / "vn_roads" / "giaothong.geojson"
    if not file.is_file():
        return {"main roads of a country": f"not measured: there is no {file}"}
    scene = country(file, 200, fixes // 200, seed=2)
    index = RoadIndex.build(scene.network)
    made = rate(lambda: len(match(RoadMatcher(index, PARAMS), scene.fixes).edge), repeats)
    spread = f"{made:,.0f} fixes/s ({made.slowest:,.0f}-{made.fastest:,.0f})"
    return {"main roads of a country": spread}


def of_traces() -> dict[str, object]:
    folder = data_folder() / "fcd_oberfranken"
    if not folder.is_dir():
        return {"real traces": f"not measured: there is no {folder}"}
    traces = read_traces(folder)
    matched = match(RoadMatcher(RoadIndex.build(traces.network), PARAMS), traces.fixes)
    near = nearest(traces.network, tree_of(traces.network), traces.fixes).astype(np.int32)
    found: dict[str, object] = {}
    used: tuple[tuple[str, I32, Bool], ...] = (
        ("matched", matched.edge, (matched.edge >= 0) & (matched.confidence >= CONFIDENT)),
        ("nearest", near, np.ones(len(near), np.bool_)),
    )
    for name, edge, sure in used:
        original = ways_of(traces.network, edge) < COPY
        limit = original & (edge >= 0)
        route = limit & is_on_route(traces, edge, 2.0)
        found[f"real traces, {name}, limit"] = shares(limit, sure)
        found[f"real traces, {name}, on the route"] = shares(route, sure)
    return {**found, "real fixes": len(traces.fixes)}


def measure(quick: bool) -> Result:
    """Match made and real drives; speed on a grid of streets."""
    more: dict[str, object] = {}
    for sigma_m in (5.0, 10.0):
        for kept in (0.0, 0.8):
            name = f"parallels, sigma {sigma_m:g} m, errors repeat {kept:g}"
            more[name] = of_parallels(sigma_m, kept, 8 if quick else 60)
    more |= of_traces()
    scene = city(60, 500, 20 if quick else 200, seed=1)
    rows = np.arange(len(scene.fixes))
    parts = [scene.fixes.take(part) for part in np.array_split(rows, max(1, len(rows) // BATCH))]
    index, tree = RoadIndex.build(scene.network), tree_of(scene.network)

    def ours() -> int:
        matcher = RoadMatcher(index, PARAMS)
        for part in parts:
            match(matcher, part)
        return len(scene.fixes)

    def baseline() -> int:
        for part in parts:
            nearest(scene.network, tree, part)
        return len(scene.fixes)

    ours()
    more |= of_country(100_000 if quick else 600_000, 2 if quick else 5)
    more["bytes of a vehicle's state"] = RoadMatcher.state_bytes()
    return Result(
        "fixes matched to roads", "fixes/s", *rates(ours, baseline, 2 if quick else 5),
        "the nearest road by shapely's STRtree, no direction, no memory", more,
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
