"""Fixes as columns, and what late ones make of them; of plain PostgreSQL the same is asked."""

import numpy as np
import pytest
from psycopg.errors import UniqueViolation

from devices.batch import FixBatch
from storage import fixes
from storage.flavour import Flavour, compress_before
from tests.storage.drives import journey
from tests.storage.flavoured import OLD_US
from tests.storage.rolled_up import DAY_US, MARCH_US
from tests.storage.strategies import assert_same_fixes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_compressing_changes_no_answer_and_late_fixes_still_go_in(place, vehicles):
    vehicle = next(vehicles)
    start = MARCH_US + 20 * DAY_US
    batch = journey(vehicle, start, np.arange(0, 86_000, 100), 3)
    late = np.arange(len(batch)) % 7 == 3

    async def everything(conn):
        return await fixes.stretch(conn, np.array([vehicle], np.int32), np.array([start]))

    async def work(conn):
        await place.store(conn, batch.take(~late))
        compressed = await compress_before(conn, start + 7 * DAY_US)
        rowwise = await everything(conn)
        await place.store(conn, batch.take(late))
        with pytest.raises(UniqueViolation):
            await place.store(conn, batch.take(np.array([0])))
        known = await fixes.stored(conn, batch.vehicle, batch.time)
        mixed = await everything(conn)
        again = await compress_before(conn, start + 7 * DAY_US)
        settled = await compress_before(conn, start + 7 * DAY_US)
        return compressed, rowwise, known, mixed, again, settled, await everything(conn)

    compressed, rowwise, known, mixed, again, settled, whole = place.connected(work)
    is_columnar = place.flavour is Flavour.TIMESCALE
    assert (compressed > 0) is is_columnar
    assert (again > 0) is is_columnar
    assert settled == 0
    assert known.all()
    for found, expected in ((rowwise, batch.take(~late)), (mixed, batch), (whole, batch)):
        for column in ("time", "received", "lon", "lat", "speed_kmh", "quality"):
            np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))


def test_old_fixes_arrived_when_they_say_and_new_ones_after_their_delays(place):
    span_us, vehicle = OLD_US + 3_600_000_000, np.array([20], np.int32)
    delays = [0, 500_000, -7_000_000, 3_000_000_000_000, -3_000_000_000_000, 1_234_567]
    time = OLD_US + 5_000_000 + np.arange(6) * 10_000_000
    late = journey(20, OLD_US, np.zeros(6), 1).with_columns(time=time, received=time + delays)

    async def work(conn):
        old = await fixes.stretch(conn, vehicle, np.array([OLD_US]))
        await place.store(conn, late)
        return old, [
            await fixes.stretch(conn, vehicle, np.array([OLD_US])),
            await compress_before(conn, span_us + DAY_US),
            await fixes.stretch(conn, vehicle, np.array([OLD_US])),
        ]

    old, (mixed, compressed, whole) = place.connected(work)
    assert len(old) == 361
    assert set(old.received - old.time) == {1_234_567}
    assert (compressed > 0) is (place.flavour is Flavour.TIMESCALE)
    expected = FixBatch.concat([old, late])
    for found in (mixed, whole):
        assert_same_fixes(found, expected.take(expected.order()))
