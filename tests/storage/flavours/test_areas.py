"""Who was in an area, asked of either flavour."""

import numpy as np
import pytest
import shapely

from devices.batch import DISQUALIFYING, Quality
from storage.flavour import compress_before
from storage.reading import areas
from tests.storage.drives import LAT, LON, journey
from tests.storage.flavoured import as_inspector
from tests.storage.rolled_up import DAY_US, MARCH_US, NOW_US, at

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_area_is_answered_with_who_was_in_it(place, vehicles, is_compressed):
    ours, other = next(vehicles), next(vehicles)
    start = MARCH_US + (40 + is_compressed) * DAY_US
    seconds = np.arange(0, 3600, 10)
    inside = journey(ours, start, seconds).with_columns(
        lon=LON + 1e-4 * (seconds / 10), lat=np.full(len(seconds), LAT),
        quality=np.where(seconds == 1000, Quality.JUMP, 0).astype(np.uint16),
    )  # fmt: skip
    beside = inside.with_columns(
        vehicle=np.full(len(seconds), other, np.int32), lat=inside.lat + 0.002
    )
    triangle = shapely.Polygon([(LON, LAT - 1), (LON + 0.02, LAT), (LON, LAT + 0.001)])
    window = start + 900_000_000, start + 1_500_000_000

    async def work(conn):
        await place.store(conn, inside)
        await place.store(conn, beside)
        if is_compressed:
            await compress_before(conn, start + 7 * DAY_US)
        async with conn.transaction():
            await as_inspector(conn)
            return await areas.passes(conn, triangle, at(window[0]), at(window[1]))

    found = place.connected(work)
    held = [
        t for t, lon, q in zip(inside.time, inside.lon, inside.quality, strict=True)
        if window[0] <= t < window[1] and not q and triangle.covers(shapely.Point(lon, LAT))
    ]  # fmt: skip
    assert found.vehicle.tolist() == [ours]
    assert found.fixes.tolist() == [len(held)]
    assert (found.first_us[0], found.last_us[0]) == (held[0], held[-1])


def test_an_empty_area_has_nobody(place):
    async def work(conn):
        async with conn.transaction():
            await as_inspector(conn)
            return await areas.passes(conn, shapely.box(0, 0, 1, 1), at(MARCH_US), at(NOW_US))

    found = place.connected(work)
    assert found is not None
    assert found.vehicle.tolist() == []


def test_an_area_with_too_many_fixes_is_not_looked_at(place, vehicles):
    start = MARCH_US + 45 * DAY_US
    batch = journey(next(vehicles), start, np.arange(0, 600, 10))
    clean = int((batch.quality & int(DISQUALIFYING) == 0).sum())

    async def work(conn):
        await place.store(conn, batch)
        async with conn.transaction():
            await as_inspector(conn)
            window = shapely.box(-180, -90, 180, 90), at(start), at(start + DAY_US)
            few = await areas.passes(conn, *window, most=clean - 1)
            return few, await areas.passes(conn, *window, most=clean)

    few, whole = place.connected(work)
    assert few is None
    assert whole is not None
    assert whole.fixes.tolist() == [clean]
