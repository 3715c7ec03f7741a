"""What is locked has no hole that is known."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "requirements.lock"
UNREACHED = ("ConnectionError", "Max retries", "ConnectTimeout", "ReadTimeout", "ProxyError")
"""Words of the auditor that cannot ask: where there is no network, nothing is said of the lock."""


@pytest.mark.skipif(find_spec("pip_audit") is None, reason="pip-audit is not installed")
def test_no_locked_dependency_has_a_known_hole():
    try:
        done = subprocess.run(
            [
                sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--disable-pip",
                "--require-hashes", "--progress-spinner", "off", "--timeout", "10",
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("the database of known holes did not answer")
    if any(word in done.stderr for word in UNREACHED):
        pytest.skip("the database of known holes cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
