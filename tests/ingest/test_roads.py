"""A worker that is given roads judges by their limits."""

import asyncio
import json
from dataclasses import replace

import pytest

from hanhtrinh.road_import.files import read_roads
from ingest.pipeline import Pipeline
from ingest.topics import TopicRouter
from storage.database import connect
from tests.hanhtrinh.command import hanhtrinh
from tests.ingest.fleet import OPTIONS, Sent, batch_of, register

pytestmark = pytest.mark.integration


def imported(tmp_path):
    """A straight road west to east along latitude 10.75, signed 60, imported as a user would."""
    source, target = tmp_path / "roads.geojson", tmp_path / "roads.npz"
    road = {
        "type": "Feature",
        "properties": {"id": 1, "highway": "primary", "maxspeed": "60"},
        "geometry": {
            "type": "LineString",
            "coordinates": [[106.5 + i / 100, 10.75] for i in range(31)],
        },
    }
    source.write_text(json.dumps({"type": "FeatureCollection", "features": [road]}))
    done = hanhtrinh("roads", "import", str(source), "-o", str(target))
    assert done.returncode == 0, done.stderr
    return target


def test_a_fix_on_a_road_is_held_to_its_sign(database, tmp_path):
    roads = read_roads(imported(tmp_path))
    # 72 km/h for a minute: under the default of 80, over the road's 60.
    drive = [Sent(0, at, 106.55 + at * 0.000183, 10.75, 72.0) for at in range(0, 70, 10)]

    async def go(options):
        async with await connect(database, name="test") as conn:
            pipeline = Pipeline(options, TopicRouter())
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(drive))
            found = await conn.execute(
                "SELECT details->>'limit_kmh', details->>'limit_source' FROM violations"
            )
            return await found.fetchall()

    async def prepare():
        async with await connect(database, name="test") as conn:
            await register(conn)

    asyncio.run(prepare())
    ((limit, source),) = asyncio.run(go(replace(OPTIONS, roads=roads)))
    assert (float(limit), source) == (60.0, "road")
