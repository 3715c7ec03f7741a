"""`simulate --register`, `simulate --lines` and `score`, against a real database."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from geofence.interval import Interval
from hanhtrinh.cli import app
from hanhtrinh.fleet_registry import register_fleet
from simulators.connections import room
from simulators.publisher import BrokerOptions
from simulators.simulate import SimulateOptions, Simulation
from simulators.truth_file import TruthWriter
from storage import violations
from tests.simulators.offline import START_US, US
from tests.storage.connected import connected, rows

NOWHERE = {"HANHTRINH_BROKER__HOST": "127.0.0.1", "HANHTRINH_BROKER__PORT": "1"}


def call(*arguments, dsn=None, env=None):
    said = NOWHERE if dsn is None else {**NOWHERE, "HANHTRINH_DATABASE__DSN": dsn}
    return CliRunner().invoke(app, arguments, env={**said, **(env or {})})


@pytest.mark.integration
def test_a_fleet_is_registered_before_it_sets_out_and_only_once(database):
    words = ("simulate", "--vehicles", "40", "--codec", "mix", "--duration", "1", "--register")
    said = call(*words, dsn=database)
    assert said.exit_code == 1  # there is no broker
    assert "broker 127.0.0.1:1" in said.stderr

    async def counts(conn):
        return await rows(
            conn,
            "SELECT (SELECT count(*) FROM vehicles), (SELECT count(*) FROM devices),"
            " (SELECT count(*) FROM zones), (SELECT count(*) FROM routes),"
            " (SELECT count(*) FROM weigh_stations)",
        )

    ((vehicles, devices, zones, routes, stations),) = connected(database, counts)
    assert vehicles == 40
    assert 30 < devices < 40  # vehicles of the UFMS feed are known by their plates
    assert min(zones, routes, stations) > 0
    again = call(*words, dsn=database)
    assert again.exit_code == 1
    assert "what is registered drives without --register" in again.stderr
    assert connected(database, counts) == [(vehicles, devices, zones, routes, stations)]


@pytest.fixture
def judged(database, tmp_path):
    """A truth file, and a database in which all of it was found, half a second late."""
    simulation = Simulation(SimulateOptions(BrokerOptions(), 12, 10, backlog_s=900), START_US)
    file = tmp_path / "truth.jsonl"
    truth = TruthWriter(file, simulation.header())
    assert list(simulation.backlog())
    truth.finish(simulation.planned(), simulation.until_us)
    found = [
        Interval(
            kind=plan.kind,
            vehicle=plan.vehicle,
            subject=plan.subject,
            profile="qcvn31",
            driver=-1,
            started=plan.started + US // 2,
            ended=min(plan.ended, START_US) + US // 2,
            distance_m=1.0,
            fixes=2,
            start=(105.0, 21.0),
            end=(105.0, 21.0),
            is_open=False,
            details={},
        )
        for plan in simulation.planned()
    ]

    async def fill(conn):
        await register_fleet(conn, simulation.fleet)
        await violations.write(conn, found)

    connected(database, fill)
    return database, file, found


@pytest.mark.integration
def test_what_was_found_as_planned_scores_perfectly(judged):
    dsn, file, found = judged
    said = call("score", str(file), "--json", dsn=dsn)
    assert said.exit_code == 0, said.output
    result = json.loads(said.stdout.splitlines()[-1])
    assert result["perfect"]
    assert result["slack_s"] == 11
    assert sum(kind["matched"] for kind in result["kinds"].values()) == len(found)
    for kind in result["kinds"].values():
        assert kind["recall"] == kind["precision"] == 1.0
        assert kind["start_error"]["largest_s"] == pytest.approx(0.5, abs=0.002)
    # Only what ended in real time was seen late; all else was as old as the past that was sent.
    delays = {name: kind["delay"] for name, kind in result["kinds"].items()}
    assert delays["speeding"] is None
    assert delays["overloaded_stretch"]["median_s"] != 0
    assert "speeding" in call("score", str(file), dsn=dsn).stdout


@pytest.mark.integration
def test_what_was_missed_or_invented_is_listed_and_exits_with_1(judged):
    dsn, file, found = judged

    async def change(conn):
        await conn.execute("UPDATE violations SET status = 'withdrawn' WHERE kind = 'off_route'")
        invented = replace(found[0], kind="unscheduled_stop", subject="S")
        elsewhen = replace(found[0], started=START_US + 100 * US, ended=START_US + 200 * US)
        await violations.write(conn, [invented, elsewhen])

    connected(dsn, change)
    said = call("score", str(file), "--json", dsn=dsn)
    assert said.exit_code == 1
    result = json.loads(said.stdout)
    assert {each["kind"] for each in result["missed"]} == {"off_route"}
    assert [each["kind"] for each in result["false"]] == ["unscheduled_stop"]
    assert result["kinds"]["off_route"]["recall"] == 0.0
    lines = call("score", str(file), dsn=dsn).stdout.splitlines()
    assert lines[0].split()[:5] == ["kind", "planned", "found", "recall", "precision"]
    assert [line for line in lines if line.startswith("never planned: unscheduled_stop ")]


@pytest.mark.integration
def test_slots_that_nobody_runs_are_looked_for_as_the_timetable_is_asked_for(database, tmp_path):
    # Three vehicles, none of them the bus of the timetable: nobody runs any slot of a day.
    options = SimulateOptions(
        BrokerOptions(), 3, 600, backlog_s=86_400, backlog_interval_s=600
    )  # fmt: skip
    simulation = Simulation(options, START_US)
    file = tmp_path / "truth.jsonl"
    truth = TruthWriter(file, simulation.header())
    assert list(simulation.backlog())
    truth.finish(simulation.planned(), simulation.until_us)
    slots = [plan for plan in simulation.planned() if plan.kind == "not_run"]

    async def run_one(conn):
        await register_fleet(conn, simulation.fleet)
        ((route,),) = await rows(conn, "SELECT id FROM routes WHERE code = '2999.1404.B'")
        await conn.execute(
            "INSERT INTO route_trips (vehicle_id, route_id, departed_at, ended_at, direction,"
            " outcome, rule_profile, distance_m, fixes, unseen_s, start_lon, start_lat, end_lon,"
            " end_lat) SELECT min(id), %s, to_timestamp(%s), to_timestamp(%s) + interval '1 h', %s,"
            " 'arrived', 'qcvn31', 1, 2, 0, 105, 21, 105, 21 FROM vehicles",
            (route, slots[0].started / 1e6 + 60, slots[0].started / 1e6, "outbound"),
        )

    connected(database, run_one)
    said = json.loads(call("score", str(file), "--json", dsn=database).stdout)
    assert said["kinds"]["not_run"] == {
        "planned": len(slots), "found": len(slots) - 1, "matched": len(slots) - 1,
        "recall": (len(slots) - 1) / len(slots), "precision": 1.0,
        "start_error": {"median_s": 0.0, "largest_s": 0.0},
        "end_error": {"median_s": 0.0, "largest_s": 0.0}, "delay": None,
    }  # fmt: skip
    missed = [each for each in said["missed"] if each["kind"] == "not_run"]
    assert [(each["vehicle"], each["subject"]) for each in missed] == [("", "2999.1404.B")]
    # Of a run that was killed the truth says no end: it counts up to what it knows.
    lines = file.read_text().splitlines(keepends=True)
    header = json.loads(lines[0]) | {"ended_at": None}
    file.write_text("".join([json.dumps(header) + "\n", *lines[1:-2]]))
    killed = json.loads(call("score", str(file), "--json", dsn=database).stdout)
    assert [each for each in killed["false"] if each["kind"] == "not_run"] == []


def test_a_truth_that_is_none_is_named_with_its_line(tmp_path):
    file = tmp_path / "truth.jsonl"
    file.write_text("{}\n")
    said = call("score", str(file))
    assert said.exit_code == 1
    assert f"{file}: line 1: " in said.stderr
    assert call("score").exit_code == 2


def feature(coordinates, kind="LineString"):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": {}}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "expected at least one LineString"),
        ([feature([105.0, 21.0], "Point")], "features[0].geometry"),
        ([feature([[108.0, 12.0], [108.1, 12.0]]), feature([[0, 0]])], "features[1].geometry"),
        ([feature([[108.0, 12.0], [108.001, 12.0]])], "500 m to 1000 km"),
        ([feature([[105.8, 21.0], "x"])], "features[0].geometry.coordinates[1]"),
    ],
)
def test_a_file_of_lines_that_cannot_be_driven_is_refused_with_its_place(
    tmp_path, features, message
):
    file = tmp_path / "lines.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    said = call("simulate", "--duration", "1", "--lines", str(file))
    assert said.exit_code == 1, said.output
    assert f"{file}: " in said.stderr
    assert message in said.stderr


@pytest.mark.parametrize("backlog", ["3", "d", "0h", "-1d", "32d", "1.5h", "9999999s"])
def test_a_past_of_no_known_length_is_wrong_use(backlog):
    said = call("simulate", f"--backlog={backlog}", "--duration", "1")
    assert said.exit_code == 2
    assert "--backlog: expected" in said.stderr


def test_a_codec_that_no_tracker_speaks_is_wrong_use():
    said = call("simulate", "--codec", "weigh-json")
    assert said.exit_code == 2
    assert "expected one of json, teltonika" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vehicles", "10", "--connections", "11"], "at most --vehicles, got 11"),
        (["--listener", "127.0.0.1:1883"], "expected --connections with it"),
        (["--connections", "2", "--listener", "1883"], "expected HOST:PORT, got '1883'"),
    ],
)
def test_connections_that_cannot_be_are_wrong_use(arguments, message):
    said = call("simulate", *arguments)
    assert said.exit_code == 2
    assert message in said.stderr


def test_too_few_open_files_for_the_connections_are_said_in_one_line(monkeypatch):
    monkeypatch.setattr(room, "_allow_files", lambda _: 256)
    said = call("simulate", "--vehicles", "5000", "--connections", "5000", "--duration", "1")
    assert said.exit_code == 1, said.output
    assert "the limit is 256; raise it: `ulimit -Hn" in said.stderr
