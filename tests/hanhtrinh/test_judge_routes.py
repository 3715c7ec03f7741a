"""Fixed routes of files."""

from tests.hanhtrinh.judged import box, collection, drive, feature, fixes, judge, lines, stamp

PATH = {"type": "LineString", "coordinates": [[105.5, 21.0], [105.5, 21.5]]}


def place(lat):
    return {"type": "Point", "coordinates": [105.5, lat]}


def route(code="r", **more):
    facts = {"corridor_m": 100, "name": "Bến A - Bến B"} | more
    return [
        feature(PATH, route=code, direction="outbound", **facts),
        feature(
            place(21.25), route=code, direction="outbound", seq=1, name="giữa", compulsory=False
        ),
    ]


ENDS = [
    feature(place(21.0), route="r", terminal="a", radius_m=500),
    feature(place(21.5), route="r", terminal="b", radius_m=500),
]


def detour():
    """From terminal A 36 km/h to the north, for eight minutes 500 m east of the path."""
    degrees = 10 * 20 / 111_194.9
    rows = []
    for n in range(120):
        lon = 105.505 if 40 <= n < 64 else 105.5
        rows.append(f"29B1,{stamp(20 * n)},{21.0 + n * degrees:.6f},{lon},36")
    return rows


def off_route(tmp_path, *features, **files):
    routes = collection(*features)
    found = lines(judge(tmp_path, fixes=fixes(detour(), drive("b")), routes=routes, **files))
    return [line for line in found if line["kind"] == "off_route"]


def test_off_route_has_these_fields_and_a_way_back_is_the_way_there_turned(tmp_path):
    (line,) = off_route(tmp_path, *route(), *ENDS)
    own = ["route", "direction", "corridor_m", "max_offset_m", "left_at_m", "returned_at_m"]
    assert sorted(list(line)[11:]) == sorted(own)
    assert (line["vehicle"], line["route"], line["direction"]) == ("29B1", "r", "outbound")
    assert (line["fixes"], line["duration_s"]) == (24, 460.0)
    assert 510 < line["max_offset_m"] < 525
    assert abs(line["left_at_m"] - 40 * 200) < 1
    assert abs(line["returned_at_m"] - 63 * 200) < 1


def test_terminals_may_be_zones_of_their_own_file(tmp_path):
    zones = collection(
        feature(box(105.49, 20.99, 105.51, 21.005), id="A", kind="terminal"),
        feature(place(21.5), id="B", kind="terminal", radius_m=500),
        feature(place(21.5), id="C", kind="watch", radius_m=500),
    )
    there = off_route(tmp_path, *route(terminal_a="A", terminal_b="B"), zones=zones)
    assert len(there) == 1
    ran = judge(
        tmp_path, fixes=fixes(detour()), zones=zones,
        routes=collection(*route(terminal_a="A", terminal_b="C")),
    )  # fmt: skip
    assert ran.exit_code == 1
    assert "terminal_b: expected the id of a terminal zone" in " ".join(ran.stderr.split())


def test_vehicles_are_registered_for_all_routes_unless_the_file_says_for_which(tmp_path):
    other = [
        feature(PATH, route="s", direction="outbound", corridor_m=1_000, terminal_a="r:a",
                terminal_b="r:b"),
    ]  # fmt: skip
    both = (*route(), *ENDS, *other)
    assert off_route(tmp_path, *both) == []  # it is within the corridor of the other
    registered = "vehicle,routes\n29B1,r\nb,r s\n"
    assert len(off_route(tmp_path, *both, vehicles=registered)) == 1
    assert off_route(tmp_path, *both, vehicles="vehicle,routes\n29B1,\nb,r\n") == []
