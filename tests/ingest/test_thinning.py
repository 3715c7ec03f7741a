from hypothesis import example, given
from hypothesis import strategies as st

from ingest.thinning import DAY_US, DENSE_US, HOUR_US, SPAN_US, TURNS, spans

NOW = st.integers(1_760_000_000_000_000, 1_960_000_000_000_000)


@given(NOW)
def test_the_newest_marks_are_looked_at_each_hour_and_the_last_day_stays_dense(now):
    newest, older = spans(now)
    assert newest == (now - DENSE_US - SPAN_US, now - DENSE_US)
    assert older[1] <= newest[0]
    assert older[1] - older[0] == SPAN_US


@given(NOW, st.integers(DENSE_US, 390 * DAY_US))
@example(1_818_723_600_000_000, DENSE_US + SPAN_US + 1)
def test_every_mark_of_a_year_is_looked_at_within_little_more_than_the_turns(now, age):
    # It grows older by an hour in each, while the span goes back by 48: just missed, it is met
    # again when both have gone as far.
    most = TURNS * 48 // 47 + 2
    mark = now - age
    hours = (now + hour * HOUR_US for hour in range(most))
    assert any(since <= mark < before for hour in hours for since, before in spans(hour))
