import numpy as np
import pytest

from devices.batch import I64, FixBatch, Quality
from storage import progress
from storage.wire import BEGINNING_US, END_US
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

ONE = np.array([1], np.int32)


def newest(time: int, quality: int = 0, lon: float = 106.0) -> FixBatch:
    return FixBatch.blank(1, vehicle=ONE, time=[time], lon=[lon], quality=[quality])


def at(stored: int, judged: int, needs: int) -> tuple[I64, I64, I64]:
    return np.array([stored]), np.array([judged]), np.array([needs])


async def shown(conn) -> tuple[object, ...]:
    [row] = await rows(
        conn, "SELECT (extract(epoch FROM time) * 1e6)::int, quality, lon FROM latest"
    )
    return row


def test_a_vehicle_that_was_never_seen_has_nothing_to_replay(database):
    points = connected(database, lambda conn: progress.resume_points(conn, ONE))
    assert [column.tolist() for column in points] == [[BEGINNING_US], [BEGINNING_US], [END_US]]


def test_progress_is_given_back_in_the_order_asked_for(database):
    vehicles = np.array([3, 1, 2], np.int32)
    times = np.array([30, 10, 20])
    batch = FixBatch.blank(3, vehicle=vehicles, time=times)

    async def work(conn):
        await progress.upsert_latest(conn, batch, times, times - 1, times - 2)
        return await progress.resume_points(conn, np.array([2, 9, 3], np.int32))

    stored, judged, needs = connected(database, work)
    assert stored.tolist() == [20, BEGINNING_US, 30]
    assert judged.tolist() == [19, BEGINNING_US, 29]
    assert needs.tolist() == [18, END_US, 28]


def test_a_clean_fix_gives_way_only_to_a_clean_one_at_least_as_new(database):
    jump = int(Quality.JUMP)
    steps = [
        (newest(10, jump), (10, jump, 106.0)),
        (newest(5), (5, 0, 106.0)),
        (newest(20, jump), (5, 0, 106.0)),
        (newest(4), (5, 0, 106.0)),
        (newest(5, lon=107.0), (5, 0, 107.0)),
        (newest(6, int(Quality.LATE)), (6, int(Quality.LATE), 106.0)),
    ]

    async def work(conn):
        found = []
        for fix, _ in steps:
            await progress.upsert_latest(conn, fix, fix.time, fix.time, fix.time)
            found.append(await shown(conn))
        return found, await progress.resume_points(conn, ONE)

    found, points = connected(database, work)
    assert found == [expected for _, expected in steps]
    assert points.stored_until.tolist() == [20]
    assert points.judged_until.tolist() == [6]


def test_a_vehicle_judged_again_shows_what_was_found(database):
    async def work(conn):
        await progress.upsert_latest(conn, newest(10), *at(10, 10, 10))
        await progress.upsert_latest(conn, newest(8), *at(8, 8, 8), np.array([True]))
        return await shown(conn), await progress.resume_points(conn, ONE)

    row, points = connected(database, work)
    assert row == (8, 0, 106.0)
    assert [column.tolist() for column in points] == [[10], [8], [8]]


def test_the_newest_mark_before_a_fix_is_found_and_later_ones_are_dropped(database):
    vehicle = np.array([1, 1, 1, 2], np.int32)
    time = np.array([10, 20, 30, 15])

    async def work(conn):
        await progress.add_marks(conn, vehicle, time, time - 1)
        await progress.add_marks(conn, vehicle[1:2], time[1:2], time[1:2] - 5)
        asked = np.array([1, 2, 1, 3], np.int32)
        before = await progress.marks_before(conn, asked, np.array([30, 15, 10, 99]))
        await progress.drop_marks(conn, ONE, np.array([20]))
        after = await progress.marks_before(conn, ONE, np.array([END_US]))
        return before, after

    before, after = connected(database, work)
    assert before.time.tolist() == [20, BEGINNING_US, BEGINNING_US, BEGINNING_US]
    assert before.needs_from.tolist() == [15, BEGINNING_US, BEGINNING_US, BEGINNING_US]
    assert after.time.tolist() == [20]


def test_of_old_marks_the_first_of_each_day_stays(database):
    day = 86_400_000_000
    time = np.array([5, 10, day - 1, day, day + 7, 3 * day + 1, 3 * day + 2])
    other = np.array([10, day + 7])

    async def work(conn):
        await progress.add_marks(conn, np.ones(7, np.int32), time, time)
        await progress.add_marks(conn, np.full(2, 2, np.int32), other, other)
        gone = await progress.thin_marks(conn, 10, 3 * day + 2)
        when = "(extract(epoch FROM time) * 1e6)::int8"
        return gone, await rows(conn, f"SELECT vehicle_id, {when} FROM judge_marks ORDER BY 1, 2")

    gone, left = connected(database, work)
    expected = [(1, t) for t in (5, day, 3 * day + 1, 3 * day + 2)] + [(2, 10), (2, day + 7)]
    assert (gone, left) == (3, expected)
    assert connected(database, lambda conn: progress.thin_marks(conn, BEGINNING_US, END_US)) == 1
