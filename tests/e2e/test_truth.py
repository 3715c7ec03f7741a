"""A simulated fleet through broker, worker and database: what was planned is what is found."""

import json

import pytest

from simulators.truth import KINDS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def scored(system, folder, *options):
    """Simulate beside a worker that runs; the object that `score --json` writes."""
    system.have_roads(folder / "roads.npz")
    worker = system.start_worker()
    truth = folder / "truth.jsonl"
    words = ("--codec", "mix", "--truth", str(truth), "--register", *options)
    sent = json.loads(system.call("simulate", *words, is_tracker=True))
    system.until(
        lambda: (
            system.ask("SELECT (SELECT count(*) FROM fixes), (SELECT count(*) FROM weighings)")
            == [(sent["fixes"], sent["weighings"])]
        ),
        "all fixes and weighings",
        worker,
    )
    assert system.ask("SELECT count(*) FROM quarantine") == [(0,)]
    return json.loads(system.call("score", str(truth), "--json"))


def test_everything_planned_in_a_past_of_hours_and_now_is_found_and_nothing_else(system, tmp_path):
    result = scored(
        *(system, tmp_path, "--vehicles", "24", "--interval", "15", "--backlog", "280m"),
        *("--duration", "54", "--dirty", "--map"),
    )
    assert result["missed"] == []
    assert result["false"] == []
    assert result["perfect"]
    of_days = {"daily_driving", "weekly_driving"}
    of_days |= {f"{kind}_warning" for kind in of_days}
    assert result["kinds"].keys() == set(KINDS) - of_days
    # A fix that a receiver throws far away is none: an end may lie one step further.
    within_s = result["slack_s"] + 15
    for kind, one in result["kinds"].items():
        assert one["recall"] == one["precision"] == 1.0, kind
        assert abs(one["start_error"]["largest_s"]) <= within_s, kind
        assert abs(one["end_error"]["largest_s"]) <= within_s, kind
