import json

import pytest

from tests.hanhtrinh.command import hanhtrinh

pytestmark = pytest.mark.integration


def test_a_round_says_what_it_did(database):
    done = hanhtrinh("upkeep", settings={"HANHTRINH_DATABASE__DSN": database})
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout).values()) == {0}
