import numpy as np
import pytest

from devices.batch import WeighingBatch
from geofence.registry import StationRule
from storage import registry, weighings
from storage.registry import NewVehicle
from storage.wire import BEGINNING_US
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration


def batch_of(*times: int) -> WeighingBatch:
    """Weighing i has i axles."""
    n = len(times)
    starts = np.concatenate([[0], np.cumsum(np.arange(n))])
    spacing = np.arange(starts[-1], dtype=float)
    spacing[np.unique(starts[:-1][np.diff(starts) > 0])] = np.nan
    return WeighingBatch(
        station=("S",) * n,
        plate=("29C00001",) * n,
        time=np.array(times),
        received=np.array(times) + 5,
        lane=np.ones(n, np.int16),
        gross_kg=np.arange(n, dtype=np.float64) * 1000,
        speed_kmh=np.full(n, np.nan, np.float32),
        length_m=np.full(n, 12.5, np.float32),
        axle_start=starts,
        axle_kg=np.arange(starts[-1]) + 100.0,
        axle_spacing_m=spacing,
        extra={1: b'{"image":"a\\u0000"}', 2: b'{"image":"b.jpg"}'},
    )


async def insert(conn, batch):
    one = np.ones(len(batch), np.int32)
    return (await weighings.insert(conn, batch, one, one)).tolist()


async def prepare(conn):
    owner = await registry.add_operator(conn, "A", "A")
    await registry.add_vehicle(conn, NewVehicle("29C00001", owner))
    await registry.add_station(conn, StationRule(0, "S", 105.0, 21.0))


def test_each_weighing_keeps_its_own_axles(database):
    batch = batch_of(10, 20, 30, 40)

    async def work(conn):
        await prepare(conn)
        new = await insert(conn, batch)
        found = await rows(
            conn,
            "SELECT axle_kg, axle_spacing_m, gross_kg, speed_kmh = 'NaN', extra"
            " FROM weighings ORDER BY time",
        )
        return new, found

    new, found = connected(database, work)
    assert new == [True] * 4
    for row, (kg, spacing, gross_kg, is_nan, _) in enumerate(found):
        expected_kg, expected_spacing = batch.axles(row)
        assert kg == expected_kg.tolist()
        np.testing.assert_array_equal(np.array(spacing), expected_spacing)
        assert (gross_kg, is_nan) == (row * 1000.0, True)
    assert [row[4] is None for row in found] == [True, False, False, True]
    assert found[2][4] == {"image": "b.jpg"}


def test_a_weighing_that_is_there_stays_as_it_is(database):
    async def work(conn):
        await prepare(conn)
        first = await insert(conn, batch_of(10, 20))
        again = await insert(conn, batch_of(20, 30, 30))
        return (
            first,
            again,
            await rows(conn, "SELECT cardinality(axle_kg) FROM weighings ORDER BY time"),
        )

    assert connected(database, work) == (
        [True, True],
        [False, True, False],
        [(0,), (1,), (1,)],
    )


def test_no_weighings_are_no_statement(database):
    assert connected(database, lambda conn: insert(conn, WeighingBatch.empty())) == []


def test_weighings_since_an_instant_come_back_as_they_went_in(database):
    batch = batch_of(10, 20, 30, 40)

    async def work(conn):
        await prepare(conn)
        await insert(conn, batch)
        # Since then it was moved and weighs otherwise; once it was calibrated, from 15 to 25.
        await conn.execute("UPDATE weigh_stations SET lon = 106, tolerance = 0.1")
        await conn.execute(
            "INSERT INTO station_calibrations (station_id, certificate, valid_from, valid_to)"
            " SELECT 1, 'K', timestamptz 'epoch' + interval '15 us', 'epoch'::timestamptz"
            " + interval '25 us'"
        )
        one, nobody = np.array([1], np.int32), np.array([], np.int32)
        return (
            await weighings.since(conn, one, np.array([20])),
            await weighings.since(conn, one, np.array([BEGINNING_US])),
            await weighings.since(conn, np.array([2], np.int32), np.array([0])),
            await weighings.since(conn, nobody, np.array([], np.int64)),
        )

    later, everything, *nothing = connected(database, work)
    assert later.weighings.time.tolist() == [20, 30, 40]
    assert everything.vehicle.tolist() == [1] * 4
    assert [(s.code, s.lon, s.lat, s.tolerance) for s in everything.station] == [
        ("S", 105.0, 21.0, 0.0)
    ] * 4
    assert [
        station.is_calibrated(at)
        for station, at in zip(everything.station, everything.weighings.time.tolist(), strict=True)
    ] == [False, True, False, False]
    for row in range(4):
        for found, expected in zip(everything.weighings.axles(row), batch.axles(row), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert everything.weighings.gross_kg.tolist() == batch.gross_kg.tolist()
    assert [len(of.vehicle) for of in nothing] == [0, 0]
