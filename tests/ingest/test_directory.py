import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.directory import Tenure, TimedNames

TENURES = st.lists(
    st.builds(
        Tenure,
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 9),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=8,
)


def vehicle_of(tenures, name, time):
    """The slow, obvious twin: the tenure that began last among those that hold."""
    holding = [t for t in tenures if t.name == name and t.valid_from <= time < t.valid_to]
    if not holding:
        return {-1}
    latest = max(t.valid_from for t in holding)
    return {t.vehicle for t in holding if t.valid_from == latest}


@given(TENURES, st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(-1, 21))))
def test_a_name_means_the_vehicle_that_held_it_at_the_time(tenures, questions):
    names = TimedNames.of(tenures)
    rows = names.rows_of([name for name, _ in questions])
    found = names.vehicles(rows, np.array([time for _, time in questions], np.int64))
    for (name, time), vehicle in zip(questions, found.tolist(), strict=True):
        assert vehicle in vehicle_of(tenures, name, time)


def test_no_names_know_nobody():
    names = TimedNames.of([])
    assert names.vehicles(names.rows_of(["x"]), np.zeros(1, np.int64)).tolist() == [-1]


def test_a_device_that_moves_to_another_vehicle_takes_its_later_fixes_along():
    names = TimedNames.of([Tenure("imei", 1, 0, 100), Tenure("imei", 2, 100, 200)])
    rows = names.rows_of(["imei"] * 4)
    found = names.vehicles(rows, np.array([0, 99, 100, 200], np.int64))
    assert found.tolist() == [1, 1, 2, -1]
