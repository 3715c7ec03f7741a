"""The example configurations are what the programs take."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from ingest.identity.tokens import Issuer, issuer_seed

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAMS = Path(sysconfig.get_path("scripts"))


def test_nats_takes_its_configuration():
    done = subprocess.run(
        [PROGRAMS / "nats-server", "-t", "-c", DEPLOY / "nats.conf"],
        env=os.environ | {
            "AUTH_PASSWORD": "one", "WORKER_PASSWORD": "two", "PUBLISHER_PASSWORD": "three",
            "ISSUER": Issuer(issuer_seed(bytes(32))).public,
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_hanhtrinh_takes_its_settings():
    done = subprocess.run(
        [sys.executable, "-m", "hanhtrinh", "--config", DEPLOY / "hanhtrinh.toml",
         "doctor", "--show-settings"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "broker.example" in done.stdout
    assert "hanhtrinh.toml" in done.stdout
