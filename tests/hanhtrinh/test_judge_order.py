"""Judging the same positions gives the same lines, whatever the order of the file's rows."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanhtrinh.offline import judging
from hanhtrinh.offline.fixes import FixTable, column_map, read_fixes
from ingest import replay_rows
from tests.hanhtrinh.judged import SLOW, box, collection, feature, fixes, judge, stamp

ZONES = collection(
    *SLOW["features"],
    feature(box(105.5, 21.0, 105.52, 21.1), id="watched", kind="watch", max_stay_s=60),
    feature(box(105.5, 21.02, 105.6, 21.2), id="shut", kind="banned", hours="Fr 07:00-07:20"),
)


@st.composite
def drives(draw):
    """Rows of some vehicles, each with a position at times of its own."""
    rows = []
    for vehicle in draw(st.lists(st.sampled_from(["a", "b", "29C-1", "xe 2"]), unique=True)):
        seconds, lat = draw(st.integers(0, 600)), 21.0
        for _ in range(draw(st.integers(0, 40))):
            seconds += draw(st.sampled_from([5, 10, 10, 30, 61, 1_000]))
            kmh = draw(st.sampled_from([0, 45, 65, 70, 100]))
            lat += kmh / 3.6 * 10 / 111_194.9
            rows.append(f"{vehicle},{stamp(seconds)},{lat:.6f},105.51,{kmh}")
    return rows


@settings(max_examples=25, deadline=None)
@given(drives(), st.randoms(use_true_random=False), st.sampled_from([7, 50, 250_000]))
def test_the_order_of_rows_and_the_size_of_batches_change_nothing(
    tmp_path_factory, rows, shuffled, size
):
    folder = tmp_path_factory.mktemp("order")
    whole = judge(folder, "--visits", fixes=fixes(rows), zones=ZONES)
    assert whole.exit_code == 0, whole.output
    other = list(rows)
    shuffled.shuffle(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "BATCH_FIXES", size)
        patch.setattr(replay_rows, "BLOCK_BYTES", 300)
        again = judge(folder, "--visits", fixes=fixes(other), zones=ZONES)
    assert again.stdout == whole.stdout


def table_of(folder, rows) -> FixTable:
    file = folder / "fixes.csv"
    file.write_text(fixes(rows))
    return read_fixes(file, column_map(file))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10, 100])
def test_batches_cut_a_vehicle_only_where_it_is_too_long(tmp_path, size):
    rows = [f"{v},{stamp(n)},21,105,0" for v, count in zip("abcd", (3, 1, 9, 2), strict=True)
            for n in range(count)]  # fmt: skip
    random.Random(size).shuffle(rows)
    table = table_of(tmp_path, rows)
    batches = list(table.batches(size))
    assert sum(map(len, batches)) == len(rows)
    assert max(map(len, batches)) <= size
    keys = [
        (int(vehicle), int(time))
        for batch in batches
        for vehicle, time in zip(batch.vehicle, batch.time, strict=True)
    ]
    assert keys == sorted(keys)
    cut = [
        table.names[before.vehicle[-1]]
        for before, after in pairwise(batches)
        if before.vehicle[-1] == after.vehicle[0]
    ]
    counts = {"a": 3, "b": 1, "c": 9, "d": 2}
    assert all(counts[name] > size for name in cut)
