"""Feeds as routes: what the registry holds, what it cannot, and that the difference is said."""

import pytest
from shapely.geometry import Point, shape

from geofence.route_table import check_route
from geofence.zone_table import check_zone
from tests.data_folder import real_data
from tests.hanhtrinh.gtfs_import.feeds import STOPS, build, calls, small_feed

WEEK = ("mon", "tue", "wed", "thu", "fri")
TRIPS = "route_id,service_id,trip_id,direction_id\n"


def departures(route, direction="outbound"):
    return [(slot.departs, slot.days) for slot in route.slots if slot.direction == direction]


def test_a_route_has_both_directions_with_paths_stops_departures_and_terminals():
    (built,), problems = build(small_feed())
    route, (a, b) = built.route, built.terminals
    assert problems == [
        f"noted trips.txt: line {line}, column shape_id: "
        "no shape: the path is straight from stop to stop"
        for line in (2, 3)
    ]
    assert (route.code, route.name, route.corridor_m) == ("R1", "Ga - Chợ", 200.0)
    assert route.outbound["coordinates"] == [list(STOPS[stop]) for stop in "ABC"]
    assert route.inbound["coordinates"] == [list(STOPS[stop]) for stop in "CDA"]
    assert [(s.direction, s.seq, s.name) for s in route.stops] == [
        ("inbound", 1, "Stop C"), ("inbound", 2, "Stop D"), ("inbound", 3, "Stop A"),
        ("outbound", 1, "Stop A"), ("outbound", 2, "Stop B"), ("outbound", 3, "Stop C"),
    ]  # fmt: skip
    assert departures(route) == [("06:30", WEEK)]
    assert departures(route, "inbound") == [("07:00", WEEK)]
    assert [str(route.slots[0].valid_from), str(route.slots[0].valid_to)] == [
        "2026-04-01", "2027-01-01",
    ]  # fmt: skip
    assert (a.name, a.geometry["coordinates"], a.radius_m) == ("Stop A", list(STOPS["A"]), 100.0)
    assert b.name == "Stop C"
    check_zone(a)
    check_route(route, [a.code, b.code])


def test_a_departure_after_midnight_is_on_the_next_day():
    (built,), _ = build(small_feed(stop_times=calls(out="A 24:15 C 25:00", back="C 47:59 A 48:00")))
    assert departures(built.route) == [("00:15", ("tue", "wed", "thu", "fri", "sat"))]
    assert departures(built.route, "inbound") == [("23:59", ("tue", "wed", "thu", "fri", "sat"))]
    assert str(built.route.slots[-1].valid_from) == "2026-04-02"


def test_a_trip_that_runs_every_so_often_leaves_at_each_of_those_times():
    frequencies = (
        "trip_id,start_time,end_time,headway_secs,exact_times\nout,23:30:00,24:30:00,1200,0\n"
    )
    (built,), problems = build(small_feed(frequencies=frequencies))
    assert [clock for clock, _ in departures(built.route)] == ["00:10", "23:30", "23:50"]
    assert (
        "noted frequencies.txt: line 2, column exact_times: a departure every 1200 s, "
        "not at exact times: taken as exact" in problems
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("out,06:00:00,05:00:00,600", "line 2, column end_time: expected a time after start_time"),
        ("out,06:00:00,07:00:00,0", "line 2, column headway_secs: expected a whole number 60.."),
        ("who,06:00:00,07:00:00,600", "line 2, column trip_id: expected a trip of trips.txt"),
    ],
)
def test_wrong_frequencies_are_named(line, said):
    text = f"trip_id,start_time,end_time,headway_secs\n{line}\n"
    _, problems = build(small_feed(frequencies=text))
    assert any(p.startswith(f"refused frequencies.txt: {said}") for p in problems), problems


def test_trips_that_call_elsewhere_than_most_are_left_out_and_said():
    trips = TRIPS + "R1,WD,out,0\nR1,WD,short,0\nR1,WD,out2,0\nR1,WD,back,1\n"
    times = calls(
        out="A 06:30 B 06:40 C 06:50", short="A 06:45 B 06:55", out2="A 07:30 B 07:40 C 07:50",
        back="C 07:00 D 07:10 A 07:20",
    )  # fmt: skip
    (built,), problems = build(small_feed(trips=trips, stop_times=times))
    assert [clock for clock, _ in departures(built.route)] == ["06:30", "07:30"]
    assert (
        "left_out trips.txt: line 3, column trip_id: 1 of 3 trips, 'short' the first, call at "
        "other stops (2) than most trips (3): a route has one path to a direction" in problems
    )


def test_a_path_that_leaves_the_corridor_of_most_trips_is_left_out_and_said():
    trips = (
        "route_id,service_id,trip_id,direction_id,shape_id\n"
        "R1,WD,out,0,s\nR1,WD,out2,0,s\nR1,WD,out3,0,far\nR1,WD,back,1,b\n"
    )
    leg = "A {0} B {1} C {2}"
    times = calls(
        out=leg.format("06:30", "06:40", "06:50"), out2=leg.format("07:30", "07:40", "07:50"),
        out3=leg.format("08:30", "08:40", "08:50"), back="C 07:00 D 07:10 A 07:20",
    )  # fmt: skip
    shapes = ["shape_id,shape_pt_sequence,shape_pt_lon,shape_pt_lat"]
    for name, stops in (("s", "ABC"), ("far", "ADBC"), ("b", "CDA")):
        shapes += [f"{name},{at},{STOPS[s][0]},{STOPS[s][1]}" for at, s in enumerate(stops)]
    text = "\n".join(shapes)
    (built,), problems = build(small_feed(trips=trips, stop_times=times, shapes=text))
    assert [clock for clock, _ in departures(built.route)] == ["06:30", "07:30"]
    assert [p.split(": ", 2)[2][:24] for p in problems] == ["1 trips go up to 1960 m "]
    assert problems[0].startswith("left_out trips.txt: line 4, column shape_id")


def test_a_stop_off_the_path_is_said():
    trips = "route_id,service_id,trip_id,direction_id,shape_id\nR1,WD,out,0,s\nR1,WD,back,1,\n"
    places = [f"s,{at},{lon},{lat}" for at, (lon, lat) in enumerate((STOPS["A"], STOPS["C"]))]
    shapes = "shape_id,shape_pt_sequence,shape_pt_lon,shape_pt_lat\n" + "\n".join(places)
    _, problems = build(small_feed(trips=trips, shapes=shapes))
    assert problems[0].startswith("noted stop_times.txt: line 3, column stop_id: stop 'B' lies 111")


def test_a_loop_is_left_out_and_said():
    times = calls(out="A 06:30 B 06:40 A 06:50", back="A 07:00 D 07:10 A 07:20")
    built, problems = build(small_feed(stop_times=times))
    assert built == []
    assert problems[-1] == (
        "left_out routes.txt: line 2, column route_id: route 'R1' begins and ends at one place: "
        "it needs two terminals apart"
    )


def test_directions_that_end_apart_have_a_terminal_of_two_areas():
    (built,), _ = build(small_feed(stop_times=calls(out="A 6:30 C 6:50", back="B 7:00 D 7:10")))
    for zone, stops in zip(built.terminals, ("AD", "CB"), strict=True):
        assert zone.geometry["type"] == "MultiPolygon"
        assert all(shape(zone.geometry).contains(Point(STOPS[stop])) for stop in stops)
        check_zone(zone)


def test_one_direction_alone_gets_the_way_back_without_stops_and_departures():
    (built,), problems = build(
        small_feed(trips=TRIPS + "R1,WD,out,\n", stop_times=calls(out="A 06:30 B 06:40 C 06:50"))
    )
    assert built.route.inbound["coordinates"] == built.route.outbound["coordinates"][::-1]
    assert {stop.direction for stop in built.route.stops} == {"outbound"}
    assert any("one direction only: inbound is its path backwards" in p for p in problems)


def test_routes_whose_ids_differ_in_their_endings_are_two_directions_of_one():
    routes = "route_id,route_type\n01_1,3\n01_2,3\n"
    trips = "route_id,service_id,trip_id\n01_1,WD,out\n01_2,WD,back\n"
    files = small_feed(routes=routes, trips=trips)
    (built,), _ = build(files, endings=("_1", "_2"), prefix="hn-")
    assert (built.route.code, built.of) == ("hn-01", ("01_1", "01_2"))
    assert [zone.code for zone in built.terminals] == ["hn-01-a", "hn-01-b"]
    assert departures(built.route, "inbound") == [("07:00", WEEK)]
    assert len(build(files)[0]) == 2


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ("R1,1", "left_out routes.txt: line 2, column route_type: expected a kind of bus"),
        ("R1,3\nR9,3", "left_out routes.txt: line 3, column route_id: no trip of route 'R9'"),
        ("R1,200\nTuyến 7,3", "left_out routes.txt: line 3, column route_id: no trip of route"),
    ],
)
def test_routes_that_the_registry_has_no_use_for_are_said(routes, said):
    _, problems = build(small_feed(routes=f"route_id,route_type\n{routes}\n"))
    assert any(p.startswith(said) for p in problems), problems


def test_departures_a_timetable_cannot_tell_apart_are_one_and_said():
    trips = TRIPS + "R1,WD,out,0\nR1,WD,out2,0\nR1,WD,back,1\n"
    times = calls(
        out="A 06:30:20 B 06:40 C 06:50", out2="A 06:30:50 B 06:41 C 06:51",
        back="C 07:00 D 07:10 A 07:20",
    )  # fmt: skip
    (built,), problems = build(small_feed(trips=trips, stop_times=times))
    assert departures(built.route) == [("06:30", WEEK)]
    assert any("outbound: 2 departures within a minute: taken at its begin" in p for p in problems)
    assert any("outbound: 1 departures at a minute and day of others: held" in p for p in problems)


def test_a_service_that_never_runs_leaves_a_route_without_departures_and_is_said():
    dates = "service_id,date,exception_type\n" + "".join(
        f"WD,202604{day:02d},2\n" for day in (1, 2, 3)
    )
    calendar = small_feed()["calendar.txt"].decode().replace("20261231", "20260403")
    (built,), problems = build(small_feed(calendar=calendar, calendar_dates=dates))
    assert built.route.slots == ()
    assert sum("no day on which any of its trips runs" in p for p in problems) == 2


@pytest.mark.data
def test_every_route_of_hanoi_is_held():
    folder = real_data("hanoi_gtfs")
    files = {file.name: file.read_bytes() for file in folder.glob("*.txt")}
    built, problems = build(files, endings=("_1", "_2"))
    assert len(built) == 32
    assert sum(len(one.of) for one in built) == 63
    assert sum(len(one.route.slots) for one in built) == 2447
    assert {p.split()[0] for p in problems} == {"noted"}
    assert sum("departures within a minute" in p for p in problems) == 63
    (alone,) = [p for p in problems if "one direction only" in p]
    assert alone.startswith("noted routes.txt: line 40, column route_id: one direction only: outb")
