"""Feeds as they come: every problem is named by file, line and column."""

import zipfile

import pytest

from hanhtrinh.errors import CommandError
from hanhtrinh.gtfs_import.lines import read_files
from tests.hanhtrinh.gtfs_import.feeds import build, calls, small_feed
from tests.storage.bulk.tables import utf_8_variants

FEED = {name: content.decode() for name, content in small_feed().items()}


@pytest.mark.parametrize(
    ("file", "was", "becomes", "said"),
    [
        ("routes", ",3\n", ",bus\n", "line 2, column route_type: expected a whole number 0..1799"),
        ("stops", "105.82", "205.82", "line 3, column stop_lon: expected a number -180..180"),
        ("stops", "21.01,105.82", "0,0.0", "line 3, column stop_lon: expected a place, not 0, 0"),
        ("stops", "D,", "C,", "line 5, column stop_id: expected every stop once, got 'C'"),
        ("calendar", "20261231", "20260331", "line 2, column end_date: expected 20260401 or later"),
        ("calendar", "20260401", "2026-4-1", "line 2, column start_date: expected a day YYYYMMDD"),
        ("calendar", "WD,1", "WD,7", "line 2, column monday: expected a whole number 0..1"),
        ("calendar", "tuesday,", "", "line 1, column tuesday: expected this column, got none"),
        ("trips", "R1,WD,out", "R2,WD,out", "line 2, column route_id: expected a route of routes"),
        ("trips", "R1,WD,out", "R1,XX,out", "line 2, column service_id: expected a service of"),
        ("trips", "back,1", "back,2", "line 3, column direction_id: expected 0, 1 or nothing"),
        ("trips", "back,1", "out,1", "line 3, column trip_id: expected every trip once, got 'out'"),
        ("stop_times", "06:40:00,B", "6.40,B", "line 3, column departure_time: expected H:MM:SS"),
        ("stop_times", ",B,", ",X,", "line 3, column stop_id: expected a stop of stops.txt"),
        ("stop_times", "back,07:10", "never,07:10", "line 6, column trip_id: expected a trip of"),
        (
            "stop_times",
            "06:50:00,C",
            "06:39:59,C",
            "line 4, column departure_time: expected a tim",
        ),
        ("stop_times", ",C,3", ",C,2", "line 4, column stop_sequence: expected every number once"),
        ("stop_times", ",06:30:00,A", ",,A", "line 2, column departure_time: expected a time at"),
        ("stop_times", ",B,2", ",B", "line 3, column stop_sequence: expected 5 cells, got 4"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_column(file, was, becomes, said):
    text = FEED[f"{file}.txt"]
    assert was in text
    built, problems = build(small_feed(**{file: text.replace(was, becomes, 1)}))
    # Whose a line is that names no route or trip of the feed, nobody can know.
    assert built == [] or "expected a route of" in said or "expected a trip of" in said
    assert any(p.startswith(f"refused {file}.txt: {said}") for p in problems), problems


def test_a_cell_too_many_that_says_something_is_named():
    text = FEED["stop_times.txt"].replace(",B,2", ",B,2,what", 1)
    _, problems = build(small_feed(stop_times=text))
    assert "refused stop_times.txt: line 3, column 6: expected 5 cells, got 6" in problems


def test_several_wrong_values_of_a_line_are_all_named():
    _, problems = build(small_feed(trips=FEED["trips.txt"].replace("R1,WD,out,0", "R2,XX,out,3")))
    assert [p.split(": ")[1] for p in problems[:3]] == [
        "line 2, column route_id", "line 2, column service_id", "line 2, column direction_id",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["agency", "routes", "stops", "trips", "stop_times"])
def test_a_file_that_is_missing_is_named_alone(name):
    built, problems = build(small_feed(**{name: ""}))
    assert (built, problems) == ([], [f"refused {name}.txt: expected this file, got none"])


def test_a_route_that_is_wrong_keeps_only_itself_out():
    routes = FEED["routes.txt"] + "R2,2,Wrong,3\n"
    trips = FEED["trips.txt"] + "R2,WD,lame,0\n"
    times = FEED["stop_times.txt"] + "lame,08:00:00,08:00:00,A,1\n"
    built, problems = build(small_feed(routes=routes, trips=trips, stop_times=times))
    assert [one.route.code for one in built] == ["R1"]
    assert [p for p in problems if p.startswith("refused")] == [
        "refused stop_times.txt: line 8, column trip_id: expected at least 2 stops of trip 'lame'"
    ]


def test_routes_that_were_not_asked_for_are_not_looked_at():
    routes = FEED["routes.txt"] + "R2,2,Wrong,9999\n"
    trips = FEED["trips.txt"] + "R2,NONE,lame,7\n"
    times = FEED["stop_times.txt"] + "lame,25,25,A,1\n"
    built, problems = build(small_feed(routes=routes, trips=trips, stop_times=times), only=["R1"])
    assert [one.route.code for one in built] == ["R1"]
    assert problems == build(small_feed())[1]
    _, problems = build(small_feed(), only=["R1", "R7"])
    assert (
        "refused routes.txt: column route_id: expected the route asked for, got no 'R7'" in problems
    )


def test_an_archive_with_a_folder_inside_is_read_as_the_folder_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "feed.zip", "w") as archive:
        for name, content in small_feed().items():
            archive.writestr(f"hanoi/{name}", content)
            (tmp_path / name).write_bytes(content)
    assert read_files(tmp_path / "feed.zip") == read_files(tmp_path) == small_feed()


def test_an_archive_that_unpacks_to_more_than_any_feed_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("stop_times.txt", b"0" * ((64 << 20) + 1))
    with pytest.raises(CommandError, match=r"stop_times.txt: expected at most 64 MiB"):
        read_files(tmp_path / "bomb.zip")


@pytest.mark.parametrize("content", utf_8_variants(FEED["stops.txt"]))
def test_byte_order_marks_and_line_ends_of_windows_change_nothing(content):
    files = small_feed() | {"stops.txt": content}
    assert build(files) == build(small_feed())


def test_bytes_that_are_no_utf_8_are_named_by_line():
    files = small_feed() | {"stops.txt": FEED["stops.txt"].encode().replace(b"Stop C", b"Ch\xee")}
    _, problems = build(files)
    assert problems[0].startswith("refused stops.txt: line 4: expected UTF-8, got the byte 0xee")


def test_calls_help_writes_what_it_says():
    assert calls(t="A 6:05").splitlines()[1] == "t,6:05:00,6:05:00,A,1"
