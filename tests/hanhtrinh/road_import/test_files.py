"""Maps to road files: what is in them comes through, and wrong ones are refused by place."""

import json

import numpy as np
import osmium
import pytest
from osmium.osm.mutable import Node, Way
from typer.testing import CliRunner

from geofence.roads.network import RoadNetwork
from hanhtrinh.cli import app
from hanhtrinh.errors import CommandError
from hanhtrinh.road_import.files import read_map, read_roads, write_roads

PLACES = {1: (106.0, 10.0), 2: (106.01, 10.0), 3: (106.02, 10.0), 4: (106.01, 10.01)}
WAYS = [
    (10, [1, 2, 3], {"highway": "primary", "maxspeed": "60", "maxspeed:hgv": "50"}),
    (11, [4, 2], {"highway": "residential", "oneway": "-1", "maxweight": "10"}),
    (12, [1, 4], {"highway": "footway"}),
    (13, [3, 4], {"highway": "tertiary", "maxspeed": "quick"}),
    (14, [1, 99, 2, 3], {"highway": "service"}),
    (15, [1], {"highway": "service"}),
]


@pytest.fixture(params=[".osm", ".osm.pbf"])
def town(request, tmp_path):
    file = tmp_path / f"town{request.param}"
    with osmium.SimpleWriter(str(file)) as writer:
        for ref, (lon, lat) in PLACES.items():
            writer.add_node(Node(id=ref, location=(lon, lat)))
        for ref, nodes, tags in WAYS:
            writer.add_way(Way(id=ref, nodes=nodes, tags=tags))
    return file


def test_roads_of_openstreetmap_are_read_with_their_tags(town):
    ways, report = read_map(town)
    rows = ways.ways().rows
    assert rows["way"].tolist() == [10, 11, 13, 14]
    assert rows["forward_kmh"][0] == 60
    assert rows["max_weight_kg"][1] == 10_000
    assert report.ways == 4
    assert report.skipped == {"highway=footway": 1}
    assert report.ignored == {"maxspeed:hgv": 1}
    assert [(p.way, p.key) for p in report.problems] == [
        (13, "maxspeed"), (14, "nodes"), (15, "nodes"),
    ]  # fmt: skip
    assert "got 'nodes 99'" in str(report.problems[1])


def test_ways_are_cut_where_they_meet_and_turned_where_they_lead_back(town):
    network = RoadNetwork.build(read_map(town)[0].ways())
    way = network.ways["way"][network.edges["row"]]
    assert (way == 10).sum() == 2
    turned = network.edges[way == 11][0]
    assert network.nodes[turned["from_node"]].tolist() == pytest.approx(PLACES[2])


def test_a_road_file_gives_the_same_network_again(town, tmp_path):
    network = RoadNetwork.build(read_map(town)[0].ways())
    file = tmp_path / "roads.npz"
    write_roads(network, file)
    again = read_roads(file).network
    for name in ("ways", "edges", "segments", "nodes", "loop_m"):
        assert str(getattr(again, name).tolist()) == str(getattr(network, name).tolist())
    assert [path.name for path in tmp_path.glob(".*")] == []


def geojson(tmp_path, *features):
    file = tmp_path / "roads.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return file


def feature(coordinates, kind="LineString", **properties):
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"highway": "trunk", **properties},
    }


def test_lines_of_geojson_are_roads_with_the_same_tags(tmp_path):
    line = [[106.0, 10.0], [106.01, 10.0, 5.0]]
    file = geojson(
        tmp_path,
        feature(line, maxspeed=60, lanes=2, oneway=True, id=44, valid_from="2025-01-01"),
        feature([line, [[106.01, 10.0], [106.01, 10.02]]], "MultiLineString", maxweight=3.5),
    )
    ways, report = read_map(file)
    rows = ways.ways().rows
    assert rows["way"].tolist() == [44, 1, 1]
    assert rows["forward_kmh"][0] == 60
    assert rows["is_divided"].tolist() == [True, False, False]
    assert rows["valid_from"][0] == 1_735_689_600_000_000
    assert rows["max_weight_kg"][1] == 3_500
    assert report.problems == []
    network = RoadNetwork.build(ways.ways())
    assert len(np.unique(network.nodes, axis=0)) == 3


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (feature([[106.0, 10.0]]), r"features\[0\]\.geometry\.coordinates: expected two or more"),
        (feature([[106.0, 10.0], [10.0, 106.0]]), r"coordinates\[1\]: expected -180..180"),
        (feature([[106.0, 10.0], ["x", 1]]), r"coordinates\[1\]: expected \[lon, lat\]"),
        (feature([1, 2], "Point"), r"geometry\.type: expected LineString or Multi.*got 'Point'"),
        (feature([[1, 2], [3, 4]], id="a"), r"properties\.id: expected a whole number, got 'a'"),
        ([], r"features\[0\]: expected a feature"),
    ],
)
def test_wrong_features_are_refused_by_their_place(tmp_path, broken, message):
    with pytest.raises(CommandError, match=message):
        read_map(geojson(tmp_path, broken))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("roads.geojson", b"{", "expected GeoJSON"),
        ("roads.geojson", b'{"type": "Feature"}', "features: expected the list"),
        ("roads.osm", b"<osm><way", "expected an OpenStreetMap file"),
        ("roads.osm.pbf", b"not a pbf", "expected an OpenStreetMap file"),
        ("roads.shp", b"", "expected a name that ends in one of .osm"),
    ],
)
def test_files_that_are_no_maps_are_refused(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        read_map(file)


def test_a_missing_map_is_named(tmp_path):
    with pytest.raises(CommandError, match="there is no such file"):
        read_map(tmp_path / "no.osm")


def test_files_that_are_no_road_files_are_refused(tmp_path):
    file = tmp_path / "roads.npz"
    for content in (b"", b"PK nothing"):
        file.write_bytes(content)
        with pytest.raises(CommandError, match="expected a file of hanhtrinh roads import"):
            read_roads(file)
    np.savez(file, layout=np.array(0))
    with pytest.raises(CommandError, match="layout: expected 1, got 0; import the map again"):
        read_roads(file)
    np.savez(file, layout=np.array(1))
    with pytest.raises(CommandError, match="expected a file of hanhtrinh roads import"):
        read_roads(file)


def test_the_command_writes_the_file_and_says_what_was_wrong(town, tmp_path):
    output, listed = tmp_path / "roads.npz", tmp_path / "problems.txt"
    done = CliRunner().invoke(app, ["roads", "import", str(town), "-o", str(output)])
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert (summary["ways"], summary["problems"]) == (4, 3)
    assert "way 13: maxspeed: expected 5..200 km/h" in done.stderr
    assert len(read_roads(output).network.ways) == 4
    arguments = ["roads", "import", str(town), "-o", str(output), "--problems", str(listed)]
    done = CliRunner().invoke(app, arguments)
    assert done.stderr == ""
    assert len(listed.read_text("utf-8").splitlines()) == 3


def test_a_map_that_cannot_be_read_leaves_no_file_behind(tmp_path):
    bad = tmp_path / "bad.osm"
    bad.write_text("<osm><way")
    output = tmp_path / "roads.npz"
    done = CliRunner().invoke(app, ["roads", "import", str(bad), "-o", str(output)])
    assert done.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.osm"]
