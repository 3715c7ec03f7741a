"""Power cut: from the first fix that reports it to the first that reports power again."""

import pytest

from devices.batch import Input, inputs_word
from tests.geofence.scene import fixes, found, of_kind

CUT, ON = inputs_word({Input.POWER_CUT: True}), inputs_word({Input.POWER_CUT: False})
SAYS_NOTHING = int(Input.POWER_CUT)  # the bit is set of an input that is not known


def test_it_lasts_to_the_first_fix_with_power_however_long_the_tracker_is_silent():
    drive = fixes([0, 10, 7_000, 7_010], inputs=[ON, CUT, ON, ON])
    assert found(drive, "power_cut") == [(10, 7_000, False)]


def test_it_is_open_until_power_is_reported():
    assert found(fixes([0, 60], inputs=CUT), "power_cut") == [(0, 60, True)]


def test_it_must_last_a_minute():
    assert found(fixes([0, 59], inputs=CUT), "power_cut") == []
    assert found(fixes([0, 59, 60], inputs=[CUT, CUT, ON]), "power_cut") == [(0, 60, False)]
    assert found(fixes([0, 30, 59], inputs=[CUT, CUT, ON]), "power_cut") == []


def test_fixes_that_say_nothing_of_power_neither_begin_nor_end_it():
    words = [SAYS_NOTHING, CUT, 0, SAYS_NOTHING, ON]
    drive = fixes([0, 100, 200, 300, 400], inputs=words, metres=[0, 10, 20, 30, 40])
    (cut,) = of_kind(drive, "power_cut")
    assert (cut.duration_s, cut.fixes, cut.details) == (300, 2, {})
    assert cut.distance_m == pytest.approx(30, rel=1e-6)
    assert found(fixes([0, 600], inputs=SAYS_NOTHING), "power_cut") == []


def test_what_follows_the_last_report_does_not_belong_to_an_open_one():
    drive = fixes([0, 100, 200], inputs=[CUT, CUT, 0])
    assert found(drive, "power_cut") == [(0, 100, True)]
