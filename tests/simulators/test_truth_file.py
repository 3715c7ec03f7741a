"""The truth file: the same bytes for the same seed and start, and usable however a run ends."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from simulators.errors import TruthFileError
from simulators.publisher import BrokerOptions
from simulators.simulate import STEP_US, SimulateOptions, Simulation
from simulators.truth import MAP_KINDS, QUICK_KINDS
from simulators.truth_file import TruthWriter, micros, read_truth
from tests.simulators.offline import START_US, US

HEADER = (
    '{"truth": "hanhtrinh-truth-1", "seed": 1, "vehicles": 1, "codec": "json", "interval_s": 10,'
    ' "started_at": "2026-09-01T00:00:00.000Z", "ended_at": %s, "fleet": ["29C10001"]}'
)
LINE = (
    '{"kind": "speeding", "vehicle": "29C10001", "ident": "1", "subject": "",'
    ' "started_at": "2026-09-01T00:01:00.000Z", "ended_at": "2026-09-01T00:02:00.000Z"}'
)


def driven(file: Path, seconds: int = 40, seed: int = 1, finishes: bool = True) -> list[bytes]:
    """The payloads of a run with no broker, its truth in the file."""
    options = SimulateOptions(
        BrokerOptions(), vehicles=60, interval_s=5, codec="mix", seed=seed, backlog_s=900
    )
    simulation = Simulation(options, START_US)
    truth = TruthWriter(file, simulation.header())
    messages = [message for part in simulation.backlog() for message in part]
    for step in range(1, seconds + 1):
        messages += simulation.step(START_US + step * STEP_US)
        truth.add(simulation.planned())
    if finishes:
        truth.finish(simulation.planned(), simulation.until_us)
    return [message.topic.encode() + message.payload for message in messages]


def test_the_same_seed_and_start_give_the_same_payloads_and_the_same_truth(tmp_path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    payloads = driven(one)
    assert driven(same) == payloads
    assert same.read_bytes() == one.read_bytes()
    assert driven(other, seed=2) != payloads
    assert other.read_bytes() != one.read_bytes()


def test_the_past_of_a_large_fleet_comes_in_pieces_that_are_no_larger(monkeypatch):
    def sent(most_fixes):
        monkeypatch.setattr("simulators.simulate.PART_FIXES", most_fixes)
        options = SimulateOptions(BrokerOptions(), vehicles=60, codec="mix", backlog_s=900)
        simulation = Simulation(options, START_US)
        counts = [0, *(simulation.progress.fixes for _ in simulation.backlog())]
        planned = sorted(map(repr, simulation.planned()))
        return max(b - a for a, b in pairwise(counts)), counts[-1], planned

    whole, fixes, planned = sent(10**6)
    most, same_fixes, same_planned = sent(600)
    assert whole == fixes > 5000
    assert most <= 660
    assert (same_fixes, same_planned) == (fixes, planned)


def test_a_header_comes_first_and_then_one_object_for_each_planned_violation(tmp_path):
    file = tmp_path / "truth.jsonl"
    driven(file)
    header, *lines = map(json.loads, file.read_text("utf-8").splitlines())
    assert header["seed"] == 1
    assert header["started_at"].endswith("Z")
    assert len(header["fleet"]) == header["vehicles"] == 60
    assert {line["kind"] for line in lines} >= set(QUICK_KINDS) - set(MAP_KINDS)
    starts = [line["started_at"] for line in lines]
    assert starts == sorted(starts)
    assert all(line["ended_at"] <= header["ended_at"] for line in lines)
    for line in lines:
        assert line.keys() == {
            "kind", "vehicle", "ident", "subject", "started_at", "ended_at", "details",
        }  # fmt: skip
    fastest = [line["details"]["max_speed_kmh"] for line in lines if line["kind"] == "speeding"]
    assert min(fastest) > 50


def test_a_run_that_was_killed_leaves_what_could_be_found_by_then(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    driven(whole)
    driven(killed, finishes=False)
    full, cut = read_truth(whole), read_truth(killed)
    assert cut.header.ended_at is None
    ended = full.header.ended_at
    assert ended is not None
    assert micros(ended) == START_US + 40 * US
    assert {(p.kind, p.vehicle, p.subject, p.started_at) for p in cut.planned} == {
        (p.kind, p.vehicle, p.subject, p.started_at) for p in full.planned
    }
    assert all(p.ended_at <= ended for p in full.planned)
    assert any(p.ended_at > ended for p in cut.planned)  # planned to go on


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path):
    file = tmp_path / "truth.jsonl"
    file.write_text(f"{HEADER % 'null'}\n{LINE}\n{LINE[:40]}")
    assert [line.kind for line in read_truth(file).planned] == ["speeding"]


def test_intervals_end_when_the_run_ended(tmp_path):
    file = tmp_path / "truth.jsonl"
    header = HEADER % '"2026-09-01T00:01:30Z"'
    file.write_text(f"{header}\n{LINE}\n")
    (line,) = read_truth(file).planned
    assert (line.ended_at - line.started_at).total_seconds() == 30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: "),
        ("{}\n", "line 1: .*missing required field"),
        (f"{LINE}\n", "line 1: .*missing required field"),
        ((HEADER % "null").replace("truth-1", "truth-2") + "\n", "line 1: truth: expected"),
        (f"{HEADER % 'null'}\nnonsense\n", "line 2: "),
        (f"{HEADER % 'null'}\n{LINE}\n{LINE.replace('Z', '')}\n", "line 3: started_at: expected"),
        (f"{HEADER % 'null'}\n{LINE.replace('29C10001', '29C9')}\n", "line 2: vehicle: expected"),
        (f"{HEADER % 'null'}\n\xff\n", "line 2: "),
    ],
)
def test_what_is_no_truth_is_refused_with_its_line(tmp_path, text, message):
    file = tmp_path / "truth.jsonl"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(TruthFileError, match=message):
        read_truth(file)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(TruthFileError, match=r"nowhere\.jsonl: no such file"):
        read_truth(tmp_path / "nowhere.jsonl")
    with pytest.raises(TruthFileError, match="no such file"):
        TruthWriter(tmp_path / "nowhere" / "truth.jsonl", {})
    with pytest.raises(TruthFileError, match="expected a file"):
        TruthWriter(tmp_path, {})
