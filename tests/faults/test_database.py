"""A database that fails, in every way it can: nothing is lost, and the worker waits for it."""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres
from simulators.link import Link
from storage.migrations import upgrade
from tests.faults.conftest import prepare
from tests.faults.fleet import (
    address,
    assert_nothing_happened,
    fixes_in,
    linked,
    messages,
    working,
)
from tests.fix_postgres import PostgresServer
from tests.ingest.publishing import mqtt_options, publish

pytestmark = pytest.mark.integration

CONNECTIONS = 12


@pytest.fixture(scope="module")
def own_server():
    """A PostgreSQL server that the tests may ill-treat."""
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedPostgres(
            folder, {"max_connections": str(CONNECTIONS), "shared_buffers": "16MB"}
        ) as server:
            yield server
    finally:
        folder.remove()


@pytest.fixture(scope="module")
def own_template(own_server):
    server = PostgresServer(own_server.dsn_of)
    with server.new_database() as name:
        upgrade(own_server.dsn_of(name))
        yield name


@pytest.fixture
def dsn(own_server, own_template):
    with PostgresServer(own_server.dsn_of).new_database(own_template) as name:
        asyncio.run(prepare(own_server.dsn_of(name)))
        yield own_server.dsn_of(name)


async def disturb(dsn, broker, fault):
    """A third before the fault, a third in it, a third after it."""
    sent = messages()
    third = len(sent) // 3
    async with working(dsn, mqtt_options(broker)) as run:
        await publish(broker, sent[:third])
        await run.until_stored(dsn, third)
        with fault():
            await publish(broker, sent[third : 2 * third])
            await run.until(lambda: run.count("database_up") == 0, "the fault to be seen")
            assert run.stored == third
        await publish(broker, sent[2 * third :])
        await run.until_stored(dsn, len(sent))
        await run.until(lambda: run.count("held_messages") == 0, "all to be acknowledged")
        assert run.count("database_up") == 1


def run(dsn, *statements):
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def read_only(server, dsn):
    """The database takes no writes, of sessions that are there and new ones."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    run(
        server.dsn_of("postgres"),
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    yield
    run(server.dsn_of("postgres"), f"ALTER DATABASE {name} RESET default_transaction_read_only")


def disk_full(server, dsn):
    """What the server says when its disk is full, from inside the transaction (53100)."""
    run(
        dsn,
        """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'could not extend file: No space left on device'
           USING ERRCODE = 'disk_full'; END $$""",
        "CREATE TRIGGER full_disk BEFORE INSERT ON fixes FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    yield
    run(dsn, "DROP TRIGGER full_disk ON fixes")


def out_of_connections(server, dsn):
    """All connections are taken, the worker's own too (53300)."""
    with contextlib.ExitStack() as taken:
        admin = taken.enter_context(psycopg.connect(dsn, autocommit=True))
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(dsn))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'hanhtrinh worker'"
        )
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(dsn))
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            psycopg.connect(dsn)
        yield


def killed(server, dsn):
    """The server dies and recovers from its log."""
    server.kill()
    yield
    server.restart()


def restarted(server, dsn):
    """The server stops in order and comes back."""
    server.stop()
    yield
    server.restart()


def schema_gone(server, dsn):
    """A table is not what it should be, as in the middle of somebody's migration."""
    run(dsn, "ALTER TABLE fixes RENAME COLUMN hdop TO was_hdop")
    yield
    run(dsn, "ALTER TABLE fixes RENAME COLUMN was_hdop TO hdop")


@pytest.mark.parametrize(
    "fault", [read_only, disk_full, out_of_connections, killed, restarted, schema_gone]
)
def test_a_database_that_fails_for_a_while_leaves_no_trace(
    own_server, dsn, broker, undisturbed, fault
):
    fault = contextlib.contextmanager(fault)
    asyncio.run(disturb(dsn, broker, lambda: fault(own_server, dsn)))
    assert_nothing_happened(dsn, undisturbed)


def test_a_worker_whose_session_the_server_has_not_missed_ends_it_and_goes_on(
    prepared, broker, undisturbed
):
    sent = messages()

    async def go():
        with Link(*address(prepared)) as link:
            async with working(linked(prepared, link), mqtt_options(broker)) as run:
                await publish(broker, sent[:100])
                await run.until_stored(prepared, 100)
                link.lose()
                await publish(broker, sent[100:])
                await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_a_stalled_database_is_waited_for_and_what_is_held_meanwhile_is_bounded(
    prepared, broker, undisturbed
):
    sent = messages()
    window = 100

    async def go():
        with Link(*address(prepared)) as link:
            options = mqtt_options(broker, window_messages=window, batch_messages=20)
            async with working(linked(prepared, link), options) as run:
                await publish(broker, sent[:100])
                await run.until_stored(prepared, 100)
                link.stall()
                try:
                    await publish(broker, sent[100:])
                    await run.until(lambda: run.count("held_messages") >= window, "a full window")
                    # NATS delivers again after a second; none of it is held twice.
                    again = time.monotonic() + 2.0
                    await run.until(lambda: time.monotonic() > again, "a second delivery")
                    # The last read before the window was full may have brought all the others.
                    assert run.count("held_messages") <= len(sent) - 100
                    assert fixes_in(prepared) == 100
                finally:
                    link.flow()
                await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_a_database_five_times_slower_than_it_is_loses_nothing(prepared, broker, undisturbed):
    sent = messages()

    async def go():
        with Link(*address(prepared)) as link:
            options = mqtt_options(broker, window_messages=100, batch_messages=50)
            async with working(linked(prepared, link), options) as run:
                link.slow_down(5.0)
                await publish(broker, sent)
                await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_an_answer_that_never_came_to_a_commit_is_found_out_about(prepared, broker, undisturbed):
    sent = messages()

    async def go():
        with Link(*address(prepared)) as link:
            async with working(linked(prepared, link), mqtt_options(broker)) as run:
                await publish(broker, sent[:100])
                await run.until_stored(prepared, 100)
                for start in range(100, len(sent), 100):
                    link.stall(answers_only=True)  # at whatever statement it happens to be
                    await publish(broker, sent[start : start + 100])
                    link.cut()
                    link.flow()
                await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)
