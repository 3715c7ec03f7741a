"""What all tests of faults share: one fleet, and what an undisturbed run of it leaves."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from hanhtrinh.embedded import DataFolder, EmbeddedNats
from storage.database import connect
from tests.faults.fleet import VEHICLES, fleet
from tests.ingest.fleet import batch_of, new_pipeline, register, stored_state


async def prepare(dsn):
    async with await connect(dsn, name="test") as conn:
        await register(conn, VEHICLES)


async def read(dsn):
    async with await connect(dsn, name="test") as conn:
        return await stored_state(conn)


@pytest.fixture(scope="session")
def undisturbed(postgres, migrated_template):
    """The state that the fleet's fixes lead to when nothing goes wrong: one batch, one process."""

    async def go(dsn):
        async with await connect(dsn, name="test") as conn:
            await register(conn, VEHICLES)
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(fleet()))
            return await stored_state(conn)

    with postgres.new_database(migrated_template) as name:
        return asyncio.run(go(postgres.dsn_of(name)))


@pytest.fixture
def prepared(database):
    """A database that knows the fleet."""
    asyncio.run(prepare(database))
    return database


@pytest.fixture
def broker():
    """A broker that delivers again after two seconds what was not acknowledged."""
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedNats(folder, ack_wait_s=2) as running:
            yield running
    finally:
        folder.remove()
