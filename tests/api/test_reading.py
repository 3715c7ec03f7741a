"""What each resource shows."""

from datetime import datetime, timedelta

import pytest
import shapely

from tests.api.world import T0, S

FROM, TO = "2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z"


def test_vehicles_are_listed_in_order_with_unknown_values_as_null(api):
    found = api.inspector.get("/vehicles")
    assert [v["plate"] for v in found["items"]] == ["51B12345", "29C00777", "51B99999"]
    assert found["next_cursor"] is None
    first = found["items"][0]
    assert first["operator"] == "north"
    assert first["operator_name"] == "North Lines"
    assert first["class"] == "coach_over_30"
    assert first["gross_kg"] == 16000
    assert first["cargo_kg"] is None
    assert first["valid_from"] is None


@pytest.mark.parametrize(
    ("asked", "plates"),
    [
        ({"plate": "51b-123.45"}, ["51B12345"]),
        ({"plate": "51B"}, []),
        ({"plate": "51B*"}, ["51B12345", "51B99999"]),
        ({"operator": "south"}, ["51B99999"]),
        ({"operator": "south", "plate": "29*"}, []),
        ({"operator": "' OR 1=1 --"}, []),
    ],
)
def test_vehicles_are_found_by_plate_and_operator(api, asked, plates):
    assert [v["plate"] for v in api.inspector.get("/vehicles", **asked)["items"]] == plates


def test_a_vehicle_is_shown_with_its_position_routes_and_devices(api):
    shown = api.north.get(f"/vehicles/{api.world.n1}")
    assert shown["position"]["time"] == "2026-05-04T08:59:30.000Z"
    assert shown["routes"] == [{"route": "R-1", "valid_from": None, "valid_to": None}]
    assert [d["ident"] for d in shown["devices"]] == ["dev-n1"]
    assert api.north.get(f"/vehicles/{api.world.n2}")["position"] is None


def test_positions_carry_names_for_bits_and_the_digits_that_were_stored(api):
    items = api.inspector.get("/positions")["items"]
    assert [p["plate"] for p in items] == ["51B12345", "51B99999"]
    assert items[0] == {
        "vehicle_id": api.world.n1,
        "plate": "51B12345",
        "operator": "north",
        "time": "2026-05-04T08:59:30.000Z",
        "received": "2026-05-04T08:59:31.250Z",
        "lon": items[0]["lon"],
        "lat": 10.8,
        "speed_kmh": 53.2,
        "heading": 90.0,
        "driver": "790000000001",
        "inputs": {"ignition": True, "door": False},
        "quality": [],
    }


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"bbox": "106,10,108,11"}, 2),
        ({"bbox": "106,10.8,108,10.8"}, 2),
        ({"bbox": "0,0,1,1"}, 0),
        ({"operator": "south"}, 1),
        ({"since": "2026-05-04T15:59:30+07:00"}, 2),
        ({"since": "2026-05-04T08:59:30.001Z"}, 0),
    ],
)
def test_positions_are_found_by_area_operator_and_age(api, asked, count):
    assert len(api.inspector.get("/positions", **asked)["items"]) == count


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"format": "geojson"}},
        {"headers": {"Accept": "application/geo+json"}},
        {"headers": {"Accept": "application/json;q=0.5, application/geo+json"}},
    ],
)
def test_positions_come_as_valid_geojson_on_request(api, options):
    answer = api.inspector.ask("GET", "/positions", **options)
    assert answer.headers["content-type"] == "application/geo+json"
    collection = answer.json()
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        point = shapely.geometry.shape(feature["geometry"])
        assert (point.x, point.y) == (feature["properties"]["lon"], feature["properties"]["lat"])


def test_json_is_the_form_where_nothing_else_is_preferred(api):
    for accept in ("*/*", "text/html", "application/json, application/geo+json;q=0.9", "x;q=nan"):
        answer = api.inspector.ask("GET", "/positions", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"


def test_a_journey_shows_every_stored_fix_and_what_the_vehicle_did(api):
    journey = api.north.get(f"/vehicles/{api.world.n1}/journey", **{"from": FROM, "to": TO})
    assert len(journey["fixes"]) == 120
    assert journey["fixes"][0] == {
        "time": "2026-05-04T08:00:00.000Z",
        "received": "2026-05-04T08:00:01.250Z",
        "lon": journey["fixes"][0]["lon"],
        "lat": 10.8,
        "speed_kmh": 53.2,
        "heading": 90.0,
        "altitude_m": 12.3,
        "hdop": 0.9,
        "satellites": 9,
        "odometer_m": 123456.7,
        "driver": "790000000001",
        "inputs": {"ignition": True, "door": False},
        "quality": [],
        "extra": {"io": {"239": 1}},
    }
    unknown = ("altitude_m", "hdop", "satellites", "odometer_m")
    assert {journey["fixes"][1][name] for name in unknown} == {None}
    assert journey["fixes"][6]["quality"] == ["jump"]
    summary = journey["summary"]
    assert (summary["fixes"], summary["clean_fixes"]) == (120, 119)
    assert [(s["started_at"], s["duration_s"]) for s in summary["stops"]] == [
        ("2026-05-04T08:20:00.000Z", 1200.0)
    ]
    assert len(summary["trips"]) == 2
    assert summary["distance_m"] == pytest.approx(79 * 53.2 / 3.6 * 30, rel=0.01)


def test_a_journey_takes_the_fixes_from_its_beginning_up_to_before_its_end(api):
    path = f"/vehicles/{api.world.n1}/journey"
    window = {"from": "2026-05-04T08:00:30Z", "to": "2026-05-04T08:01:30Z"}
    times = [fix["time"] for fix in api.north.get(path, **window)["fixes"]]
    assert times == ["2026-05-04T08:00:30.000Z", "2026-05-04T08:01:00.000Z"]


def test_pages_of_a_journey_put_together_are_the_journey(api):
    path, window = f"/vehicles/{api.world.n1}/journey", {"from": FROM, "to": TO}
    whole = api.north.get(path, **window)["fixes"]
    page = api.north.get(path, **window, limit=50)
    together = list(page["fixes"])
    assert page["summary"]["fixes"] == 120
    while page["next_cursor"]:
        page = api.north.get(path, **window, limit=50, cursor=page["next_cursor"])
        assert page["summary"] is None
        together += page["fixes"]
    assert together == whole


def test_a_journey_as_geojson_is_a_line_of_clean_fixes_and_its_stops(api):
    path = f"/vehicles/{api.world.n1}/journey"
    found = api.north.get(path, **{"from": FROM, "to": TO, "format": "geojson"})
    line, stop = found["features"]
    shape = shapely.geometry.shape(line["geometry"])
    assert shape.is_valid
    assert len(shape.coords) == 119 == len(line["properties"]["times"])
    assert stop["geometry"]["type"] == "Point"
    assert stop["properties"]["duration_s"] == 1200
    assert found["journey"]["plate"] == "51B12345"


@pytest.mark.parametrize(
    ("window", "kinds"),
    [
        ({"from": FROM, "to": "2026-05-04T08:00:01Z"}, ["Point"]),
        ({"from": "2026-05-03T00:00:00Z", "to": FROM}, []),
    ],
)
def test_a_journey_of_one_fix_is_a_point_and_one_of_none_is_nothing(api, window, kinds):
    found = api.north.get(f"/vehicles/{api.world.n1}/journey", **window, format="geojson")
    assert [feature["geometry"]["type"] for feature in found["features"]] == kinds


def test_visits_come_newest_first_and_can_be_told_by_zone(api):
    path = f"/vehicles/{api.world.n1}/visits"
    assert [v["zone"] for v in api.north.get(path)["items"]] == ["z-n", "depot"]
    (visit,) = api.north.get(path, zone="depot")["items"]
    assert visit["duration_s"] == 3600
    assert visit["zone_kind"] == "watch"


def test_weighings_show_axles_and_unknown_values_as_null(api):
    first, second, third = api.inspector.get("/weighings")["items"]
    assert first["time"] > second["time"] == third["time"]
    assert first["axles"] == []
    assert first["lane"] is None
    assert first["speed_kmh"] is None
    assert third["axles"] == [
        {"mass_kg": 11000.0, "spacing_m": None},
        {"mass_kg": 20450.0, "spacing_m": 4.3},
    ]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"station": "scale"}, 3),
        ({"station": "none"}, 0),
        ({"plate": "29c-007.77"}, 2),
        ({"min_gross_kg": 12000}, 2),
        ({"from": "2026-05-04T08:10:00Z"}, 1),
        ({"to": "2026-05-04T08:10:00Z"}, 2),
        ({"operator": "south"}, 1),
    ],
)
def test_weighings_are_found_by_station_plate_mass_and_time(api, asked, count):
    assert len(api.inspector.get("/weighings", **asked)["items"]) == count


def test_inspectors_see_how_much_waits_in_the_quarantine(api):
    items = api.inspector.get("/quarantine")["items"]
    assert [(i["reason"], i["payloads"], i["seen"]) for i in items] == [
        ("bad_syntax", 1, 1),
        ("unknown_device", 1, 2),
    ]


def test_inspectors_see_who_sent_it(api):
    def groups(**asked):
        items = api.inspector.get("/quarantine/groups", **asked)["items"]
        return [(i["reason"], i["sender"], i["messages"], i["kept"], i["waiting"]) for i in items]

    bad, unknown = (
        ("bad_syntax", "gsht/v1/json/x", 1, 1, 1),
        ("unknown_device", "gsht/v1/json/y", 2, 1, 1),
    )
    assert groups() == [unknown, bad]
    assert groups(reason="bad_syntax") == [bad]
    assert groups(sender="gsht/v1/json/y", since="2026-05-04T08:30:00Z") == [unknown]
    assert groups(since="2026-05-04T09:00:00Z") == []


def test_the_world_began_when_the_tests_say():
    assert T0 // S == 1_777_881_600


def test_devices_that_were_not_heard_of_since_an_instant_are_found(api):
    heard = {
        one["ident"]: one["last_received_at"] for one in api.inspector.get("/devices")["items"]
    }
    at = datetime.fromisoformat(heard["dev-n1"])
    for since, is_silent in ((at, False), (at + timedelta(milliseconds=1), True)):
        found = api.inspector.get("/devices", silent_since=since.isoformat())["items"]
        assert ("dev-n1" in [one["ident"] for one in found]) == is_silent
