"""`hanhtrinh stream`, and what `hanhtrinh doctor` says of a stream."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from hanhtrinh import doctor
from hanhtrinh.cli import app
from hanhtrinh.embedded.ports import free_port
from hanhtrinh.settings import load
from hanhtrinh.sharding import establish
from hanhtrinh.wiring import embedded_environment
from tests.ingest.jetstream.streams import reading
from tests.ingest.publishing import publish, until

pytestmark = pytest.mark.integration


@pytest.fixture
def environment(broker):
    """Of a worker on the test's broker."""
    return embedded_environment("postgresql://localhost/none", broker) | {
        "HANHTRINH_INGEST__SOURCE": "jetstream",
        "HANHTRINH_JETSTREAM__PARTITIONS": "2",
    }


def as_maker(environment, broker):
    return environment | {
        "HANHTRINH_JETSTREAM__USERNAME": broker.stream.username,
        "HANHTRINH_JETSTREAM__PASSWORD": broker.stream.password,
    }


def test_the_stream_is_made_changed_and_left_alone(environment, broker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stream(*arguments, env):
        return CliRunner().invoke(app, ["stream", *arguments], env=env)

    maker = as_maker(environment, broker)
    early = stream(env=maker)
    assert early.exit_code == 1
    assert "hanhtrinh doctor" in early.stderr
    asyncio.run(publish(broker, []))
    made, again = (json.loads(stream(env=maker).stdout) for _ in range(2))
    assert made["pending"] == {"0": 0, "1": 0}
    assert made["done"]
    assert again["done"] == []
    more = json.loads(stream("--partitions", "3", env=maker).stdout)
    assert list(more["pending"]) == ["0", "1", "2"]


def test_a_login_that_nats_refuses_is_what_the_command_ends_with(
    environment, broker, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    wrong = as_maker(environment, broker) | {"HANHTRINH_JETSTREAM__PASSWORD": "wrong"}
    refused = CliRunner().invoke(app, ["stream"], env=wrong)
    assert refused.exit_code == 1
    last = " ".join(refused.stderr.split())
    assert f"refuses the login of '{broker.stream.username}'" in last
    assert "no servers available" not in last
    away = wrong | {"HANHTRINH_JETSTREAM__URL": f"nats://127.0.0.1:{free_port()}"}
    unreachable = CliRunner().invoke(app, ["stream"], env=away)
    assert unreachable.exit_code == 1
    assert "refuses" not in unreachable.stderr


def test_the_first_client_of_the_broker_is_waited_for(environment, broker):
    maker = load(environment=as_maker(environment, broker)).settings

    async def go():
        with capture_logs() as logged:
            making = asyncio.create_task(establish(maker, 60.0))
            await until(lambda: logged, "a first look")
            await publish(broker, [])
            return logged, await making

    logged, (done, pending) = asyncio.run(go())
    assert "hanhtrinh doctor" in logged[0]["error"]
    assert done
    assert pending == {0: 0, 1: 0}


def test_the_doctor_finds_a_stream_that_is_missing_and_shards_that_nobody_reads(
    environment, broker
):
    settings = load(environment=environment).settings

    async def go():
        await publish(broker, [])
        missing = await doctor.check_stream(settings)
        maker = load(environment=as_maker(environment, broker)).settings
        await establish(maker)
        async with reading(broker, (0,), 2) as source:
            await until(lambda: source.connected, "a reader")
            alone = await doctor.check_stream(settings)
        async with reading(broker, (0, 1), 2) as source:
            await until(lambda: source.connected, "readers")
            async with asyncio.timeout(20):
                while (well := await doctor.check_stream(settings)).state != "ok":
                    pass  # it takes its own time
        return missing, alone, well

    missing, alone, well = asyncio.run(go())
    assert (missing.state, missing.advice[:22]) == ("wrong", "run `hanhtrinh stream`")
    assert alone.state == "wrong"
    assert alone.found.endswith("nobody reads shards 1")
    assert well.found == "HANHTRINH: 0 messages wait"
