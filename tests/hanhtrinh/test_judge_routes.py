"""Fixed routes of files."""

from tests.hanhtrinh.judged import box, collection, drive, feature, fixes, judge, lines, said, stamp

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


def timetable(tmp_path, slots, *, rows=None, **options):
    """Lines of kinds that a timetable leads to; the bus leaves A at its third fix."""
    routes = collection(*route(slots=slots), *ENDS)
    found = lines(judge(tmp_path, *options.get("args", ()), fixes=fixes(rows or detour()),
                        routes=routes))  # fmt: skip
    return [x for x in found if x["kind"] in ("late_departure", "not_run", "route_trip")]


def slot(departs, direction="outbound", **more):
    return {"direction": direction, "departs": departs, **more}


def test_trips_are_written_with_visits(tmp_path):
    (trip,) = timetable(tmp_path, [], args=["--visits"])
    assert list(trip)[11:] == ["route", "direction", "outcome", "unseen_s"]
    assert (trip["vehicle"], trip["route"], trip["outcome"]) == ("29B1", "r", "under_way")
    assert trip["started_at"] == stamp(40).replace("+00:00", "Z").replace("Z", ".000Z")


def long_after(rows):
    """The same bus, standing at its last place for hours."""
    last = rows[-1].split(",")
    return [*rows, *(f"29B1,{stamp(2_400 + 600 * n)},{last[2]},{last[3]},0" for n in range(30))]


def long_before(rows):
    """The same bus, standing in A for an hour before."""
    return [*(f"29B1,{stamp(-3_600 + 300 * n)},21.0,105.5,0" for n in range(12)), *rows]


def test_a_late_departure_and_slots_that_nobody_ran(tmp_path):
    slots = [slot("06:30"), slot("12:00"), slot("09:00", "inbound", days=["fri"]),
             slot("09:30", "inbound", days=["sat"]), slot("06:10")]  # fmt: skip
    late, missed = timetable(tmp_path, slots, rows=long_after(long_before(detour())))
    own = {"route": "r", "direction": "outbound", "late_s": 1_840.0, "slot": "2026-05-01 06:30"}
    assert own.items() <= late.items()
    assert (late["kind"], late["vehicle"], late["fixes"]) == ("late_departure", "29B1", 1)
    assert late["started_at"] == late["ended_at"] == "2026-05-01T00:00:40.000Z"
    assert missed == {
        "kind": "not_run", "rule_profile": "qcvn31", "vehicle": None, "driver": None,
        "started_at": "2026-05-01T02:00:00.000Z", "ended_at": "2026-05-01T02:00:00.000Z",
        "duration_s": 0.0, "distance_m": 0.0, "fixes": 0, "start": None, "end": None, "route": "r",
        "direction": "inbound", "slot": "2026-05-01 09:00",
    }  # fmt: skip


def test_departures_in_time_break_no_timetable(tmp_path):
    assert timetable(tmp_path, [slot("07:00"), slot("07:15")]) == []


def test_slots_that_are_none_are_refused_with_their_place(tmp_path):
    def refused(*slots):
        ran = judge(tmp_path, fixes=fixes(detour()), routes=collection(*route(slots=slots), *ENDS))
        assert ran.exit_code == 1
        return said(ran)

    at = "features[0].properties.slots[1]"
    assert f"{at}: departs: expected HH:MM" in refused(slot("06:00"), slot("6:00"))
    assert f"{at}: expected an object with direction" in refused(slot("06:00"), {"departs": "1"})
    assert f"{at}: days: expected some of mon" in refused(slot("06:00"), slot("06:00", days=["x"]))
    wrong = slot("06:00", valid_from="May")
    assert f"{at}.valid_from: expected a day like" in refused(slot("06:00"), wrong)
    assert "expected a list of objects" in refused_whole(tmp_path)


def refused_whole(tmp_path):
    routes = collection(*route(slots="06:00"), *ENDS)
    return said(judge(tmp_path, fixes=fixes(detour()), routes=routes))
