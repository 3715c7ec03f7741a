"""The load benchmark at a small size: it starts what it needs, finds every fix, and says so."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.parts.found import Stored, compare

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
def test_two_hundred_trackers_are_found_in_the_database_to_the_last_fix():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.load", "--vehicles", "200", "--interval", "1"),
            *("--duration", "2", "--yardstick", "1", "--json"),
        ],
        cwd=ROOT, capture_output=True, check=False, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["connections"], said["lost"], said["duplicated"], said["strange"]) == (
        200,
        0,
        0,
        0,
    )
    # Two intervals to warm up, and two seconds; some trackers are silent by plan.
    assert 700 <= said["sent"] == said["stored"] <= 800
    assert said["rate"] > 0
    assert 0 < said["lag_ms_p50"] <= said["lag_ms_p99"]
    assert said["lag_ms_p99_by_minute"] == [said["lag_ms_p99"]]
    assert said["lag_ms_p99_after_first_minute"] is None
    assert said["violations_false"] == 0
    assert set(said["cpu_s_per_1000"]) == {"broker", "database", "worker", "generator", "all"}
    assert min(said["rss_mb"].values()) > 0
    for plain in said["yardsticks"].values():
        assert plain["messages"] >= 150
        assert plain["lost"] == 0


def test_fixes_are_compared_by_key():
    sent_vehicle, sent_time = np.array([1, 1, 2, 3], np.int32), np.array([10, 20, 10, 10])
    found = Stored(
        np.array([1, 1, 2, 9], np.int32), np.array([10, 10, 10, 10]), np.array([11, 12, 11, 11])
    )
    compared = compare(sent_vehicle, sent_time, found)
    assert (compared.sent, compared.stored, compared.lost) == (4, 4, 2)
    assert (compared.duplicated, compared.strange) == (1, 1)
