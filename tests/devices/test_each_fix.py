"""Encoders are given the fixes of a batch one by one, as they stand in its columns."""

import math

from hypothesis import given, settings

from devices.batch import COLUMNS, Quality
from devices.each_fix import Fix, each_fix, with_zeros
from tests.devices.made_up import NO_EXTRA, fix_batches


@settings(max_examples=20, deadline=None)
@given(fix_batches(extra=NO_EXTRA))
def test_a_row_says_what_its_columns_say(fixes):
    rows = [*each_fix(fixes)]
    assert len(rows) == len(fixes)
    for name in set(Fix._fields) & set(COLUMNS):
        assert repr([getattr(fix, name) for fix in rows]) == repr(getattr(fixes, name).tolist())
    assert [fix.time_us for fix in rows] == fixes.time.tolist()
    assert [fix.is_lost for fix in rows] == (fixes.quality & Quality.NO_POSITION != 0).tolist()


@settings(max_examples=20, deadline=None)
@given(fix_batches(extra=NO_EXTRA))
def test_zeros_stand_for_what_is_unknown_in_the_named_columns_alone(fixes):
    pairs = zip(each_fix(fixes), each_fix(with_zeros(fixes, "heading")), strict=True)
    for sent, filled in pairs:
        assert filled.heading == (0 if math.isnan(sent.heading) else sent.heading)
        assert repr(filled._replace(heading=0)) == repr(sent._replace(heading=0))
