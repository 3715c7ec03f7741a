"""The example settings are what hanhtrinh takes; brokers: test_brokers.py."""

import subprocess
import sys
import sysconfig
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAMS = Path(sysconfig.get_path("scripts"))


def test_hanhtrinh_takes_its_settings():
    done = subprocess.run(
        [sys.executable, "-m", "hanhtrinh", "--config", DEPLOY / "hanhtrinh.toml",
         "doctor", "--show-settings"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "broker.example" in done.stdout
    assert "hanhtrinh.toml" in done.stdout
