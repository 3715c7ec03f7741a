"""Driving time in files: by driver, over all vehicles of the file."""

from tests.hanhtrinh.judged import BEGINS, METRES_PER_DEGREE, judge, lines, stamp

HOUR_S = 3_600


def drive(vehicle, driver, from_s, to_s, lat=10.0):
    """Rows of a steady drive, a position every five minutes."""
    degrees = 40 / 3.6 / METRES_PER_DEGREE
    return [
        f"{vehicle},{stamp(s)},{lat + (s - from_s) * degrees:.6f},106.5,40,{driver}"
        for s in range(from_s, to_s + 1, 300)
    ]


def positions(*drives):
    rows = [row for rows in drives for row in rows]
    return "\n".join(["vehicle,time,lat,lon,speed_kmh,driver", *rows]) + "\n"


def driving(ran):
    return [line for line in lines(ran) if "driving" in line["kind"]]


def test_a_driver_who_changes_the_vehicle_is_found_and_the_vehicles_are_not(tmp_path):
    first = drive("29B1", "790123456789", 0, 2 * HOUR_S)
    second = drive("29B2", "790123456789", 2 * HOUR_S + 600, 4 * HOUR_S + 1_200)
    (line,) = driving(judge(tmp_path, fixes=positions(second, first)))
    assert line["kind"] == "continuous_driving"
    assert (line["vehicle"], line["driver"]) == ("29B1", "790123456789")
    assert (line["started_at"], line["ended_at"]) == (
        BEGINS.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        stamp(4 * HOUR_S + 1_200).replace("Z", ".000Z"),
    )
    assert {name: line[name] for name in ("driving_s", "unseen_s", "limit_s", "vehicles")} == {
        "driving_s": 4 * HOUR_S + 600, "unseen_s": 0, "limit_s": 4 * HOUR_S, "vehicles": 2
    }  # fmt: skip
    assert line["over_at"] == stamp(4 * HOUR_S + 600).replace("Z", ".000Z")


def test_where_nobody_is_named_it_is_the_vehicles_and_no_drivers(tmp_path):
    unnamed = drive("29B1", "", 0, 4 * HOUR_S + 300), drive("29B2", "", 0, 3 * HOUR_S)
    (line,) = driving(judge(tmp_path, fixes=positions(*unnamed)))
    assert (line["vehicle"], line["driver"], line["driving_s"]) == ("29B1", None, 4 * HOUR_S + 300)


def test_what_was_driven_in_silence_is_told(tmp_path):
    before, after = drive("29B1", "7", 0, HOUR_S), drive("29B1", "7", 3 * HOUR_S, 5 * HOUR_S, 11.0)
    (line,) = driving(judge(tmp_path, fixes=positions(before, after)))
    assert (line["driving_s"], line["unseen_s"]) == (5 * HOUR_S, 2 * HOUR_S)


def test_warnings_are_written_where_they_are_asked_for(tmp_path):
    row = positions(drive("29B1", "7", 0, 4 * HOUR_S))
    assert driving(judge(tmp_path, fixes=row)) == []
    (line,) = driving(judge(tmp_path, "--warnings", fixes=row))
    assert (line["kind"], line["left_s"]) == ("continuous_driving_warning", 300)
    assert line["ended_at"] == stamp(4 * HOUR_S - 300).replace("Z", ".000Z")


def test_the_fixes_of_many_batches_add_up(tmp_path, monkeypatch):
    monkeypatch.setattr("hanhtrinh.offline.judging.BATCH_FIXES", 7)
    files = positions(*(drive(f"29B{n}", 80 + n, 0, 5 * HOUR_S) for n in range(3)))
    found = driving(judge(tmp_path, fixes=files))
    assert [(line["driver"], line["driving_s"]) for line in found] == [
        (str(80 + n), 5 * HOUR_S) for n in range(3)
    ]
