"""Weigh stations that change: who drove round one is judged by what it was then, however late."""

import asyncio

import pytest

from ingest.rejudge import rejudge
from storage.database import connect
from storage.registry import changing
from storage.registry.records import StationRecord
from tests.ingest.fleet import STATION, T0_S, Sent, batch_of, new_pipeline, register, stored_state

pytestmark = pytest.mark.integration

DAY_S = 86_400
OPEN, SHUT, MOVED = 0, DAY_S, 2 * DAY_S
"""Seconds after T0_S at which the station begins to be so."""

ALONG = [(106.65, 10.75), (106.66, 10.75), (106.67, 10.75), (106.68, 10.75)]
BEHIND = [(106.72, 10.75), (106.73, 10.75), (106.74, 10.75)]
ACROSS = [(106.7, 10.71), (106.7, 10.72), (106.7, 10.73)]
BEYOND = [(106.7, 10.77), (106.7, 10.78), (106.7, 10.79)]
EAST = [*ALONG, (106.69, 10.76), (106.7, 10.77), (106.71, 10.76), *BEHIND]
NORTH = [*ACROSS, (106.71, 10.74), (106.72, 10.75), (106.71, 10.76), *BEYOND]
"""Round the station, off its first road, and off its second one."""


def drive(device, at, places):
    return [Sent(device, at + 60 * n, lon, lat, 65.0) for n, (lon, lat) in enumerate(places)]


def drives(device, *eras):
    """Twice round the station a few hours after each of these changes of it."""
    return [
        fix
        for era in eras
        for hour, places in ((2, EAST), (6, NORTH))
        for fix in drive(device, era + 3_600 * hour, places)
    ]


async def change(conn, pipeline, at, **facts):
    """Change the station as from an instant, which a running worker takes over."""
    [(number,)] = await rows(conn, "SELECT id FROM weigh_stations")
    record = StationRecord(code=STATION.code, lon=STATION.lon, lat=STATION.lat, **facts)
    await changing.change(conn, [number], [record])
    # As if it had been made then.
    instant = f"to_timestamp({T0_S + at})"
    for bound in ("valid_to", "valid_from"):
        await conn.execute(
            f"UPDATE station_facts SET {bound} = {instant} WHERE {bound} ="
            " (SELECT max(valid_from) FROM station_facts)".encode()
        )
    assert await pipeline.refresh(conn)


async def rows(conn, question):
    return await (await conn.execute(question.encode())).fetchall()


FOUND = f"""SELECT vehicle_id, (extract(epoch FROM started_at) - {T0_S})::int / {DAY_S}
    FROM violations WHERE kind = 'station_avoided' AND status <> 'withdrawn' ORDER BY 1, 2"""


def test_who_drove_round_a_station_is_judged_by_what_it_was_then(database):
    async def go():
        async with await connect(database, name="test") as conn:
            await conn.set_autocommit(True)
            ids = await register(conn)
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(drives(0, OPEN)))
            told = [await rows(conn, FOUND)]
            road = {"approach": STATION.approach, "corridor_m": STATION.corridor_m}
            await change(conn, pipeline, SHUT, weekly_hours=(), **road)
            await pipeline.process(conn, batch_of(drives(0, SHUT)))
            # One whose fixes of before the change come only now.
            await pipeline.process(conn, batch_of(drives(1, OPEN, SHUT)))
            told.append(await rows(conn, FOUND))
            across = {"type": "LineString", "coordinates": [[106.7, 10.6], [106.7, 10.9]]}
            await change(conn, pipeline, MOVED, approach=across, corridor_m=300.0)
            await pipeline.process(conn, batch_of(drives(2, OPEN, SHUT, MOVED)))
            told.append(await rows(conn, FOUND))
            before = await stored_state(conn)
            again = new_pipeline()
            await again.refresh(conn)
            done = await rejudge(conn, again, 0, "by what is registered today")
            return ids, told, before, await stored_state(conn), done

    (a, b, c), told, before, after, done = asyncio.run(go())
    assert told[0] == [(a, 0)]
    assert told[1] == [(a, 0), (b, 0)]
    assert told[2] == [(a, 0), (b, 0), (c, 0), (c, 2)]
    assert done.vehicles == 3
    assert before == after
