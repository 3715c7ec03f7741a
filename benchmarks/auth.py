"""How many logins a second one `hanhtrinh auth` answers, and how soon a revocation closes.

    python -m benchmarks.auth [--logins 5000] [--revocations 50] [--json]

Everything is real and on loopback: PostgreSQL, NATS with its MQTT listener, the service in a
process of its own. NATS lets nobody but itself ask, so that the rate is measured through a second
server that has no accounts. Revocations go the whole way, from the commit to the closed socket.
"""

import argparse
import asyncio
import json
import multiprocessing
import platform
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import nats
import nkeys
import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from hanhtrinh.commands.state import run
from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres
from hanhtrinh.embedded.nats import program
from hanhtrinh.embedded.ports import LOOPBACK, free_port
from ingest.identity.callout import QUESTIONS, Callout, CalloutOptions
from ingest.identity.tokens import Issuer, issuer_seed
from ingest.topics import DEFAULT_PATTERNS
from storage import credentials, registry
from storage.database import connect
from storage.migrations import upgrade

UNDER_WAY = 1000


def serve(options, seed, listening):
    async def go():
        ready = asyncio.Event()
        service = Callout(options, Issuer(seed), lambda: time.time_ns() // 1000)
        running = asyncio.create_task(service.run(asyncio.Event(), ready))
        await ready.wait()
        listening.set()
        await running

    run(go())  # on the loop that the command runs on


@contextmanager
def bare_server():
    """The address of a NATS server that lets everybody do everything."""
    port = free_port()
    process = subprocess.Popen(
        [program(), "-a", LOOPBACK, "-p", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        yield f"nats://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def serving(options, seed):
    """The service, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    listening = spawn.Event()
    process = spawn.Process(target=serve, args=(options, seed, listening), daemon=True)
    process.start()
    try:
        assert listening.wait(60)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


async def register(dsn, count):
    """Logins of so many devices, and their secrets."""
    idents = [f"{352_093_000_000_000 + number}" for number in range(count)]
    async with await connect(dsn, name="benchmark") as conn, conn.transaction():
        await registry.add_devices(conn, idents)
        return {ident: (await credentials.rotate(conn, ident)).secret for ident in idents}


def questions(secrets):
    """What the server asks about each of them."""
    server = Issuer(issuer_seed(bytes(32)))
    user = nkeys.from_seed(bytearray(nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER)))
    for ident, secret in secrets.items():
        asked = {
            "server_id": {"name": "n", "id": server.public},
            "user_nkey": user.public_key.decode(),
            "client_info": {"user": ident, "type": "mqtt", "mqtt_id": ident},
            "connect_opts": {"user": ident, "pass": secret, "protocol": 0},
            "type": "authorization_request", "version": 2,
        }  # fmt: skip
        yield server.sign({"sub": "x", "aud": "nats-authorization-request", "nats": asked}).encode()


async def answers(url, secrets, service):
    """(answers a second, microseconds of a processor that the service spends on one)."""
    asked = list(questions(secrets))
    client = await nats.connect(url)
    inbox, window, done = client.new_inbox(), asyncio.Semaphore(UNDER_WAY), asyncio.Event()
    got = 0

    async def take(message):
        nonlocal got
        got += 1
        assert b"." in message.data
        window.release()
        if got == len(asked):
            done.set()

    await client.subscribe(inbox, cb=take)
    await client.request(QUESTIONS, asked[0], timeout=30)
    busy, started = service.cpu_times(), time.perf_counter()
    for question in asked:
        await window.acquire()
        await client.publish(QUESTIONS, question, reply=inbox)
    await done.wait()
    seconds = time.perf_counter() - started
    after = service.cpu_times()
    await client.close()
    spent_s = after.user - busy.user + after.system - busy.system
    return len(asked) / seconds, spent_s / len(asked) * 1e6


async def revocations_s(broker, dsn, secrets):
    """From the end of `revoke` to the closed connection, one after the other, in seconds."""
    took = []
    async with await connect(dsn, name="benchmark") as conn:
        for ident, secret in secrets.items():
            lost: SimpleQueue[float] = SimpleQueue()
            let_in: SimpleQueue[Any] = SimpleQueue()
            client = mqtt.Client(CallbackAPIVersion.VERSION2, ident, reconnect_on_failure=False)
            client.username_pw_set(ident, secret)
            client.on_connect = lambda _c, _u, _f, reason, _p, to=let_in: to.put(reason)
            client.on_disconnect = lambda *_, to=lost: to.put(time.perf_counter())
            client.connect(broker.host, broker.mqtt_port)
            client.loop_start()
            assert not let_in.get(timeout=30).is_failure
            await credentials.revoke(conn, ident)
            started = time.perf_counter()
            took.append(lost.get(timeout=30) - started)
            client.loop_stop()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--logins", type=int, default=5000)
    parser.add_argument("--revocations", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if asked.quick:
        asked.logins, asked.revocations = 500, 10
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-bench-")))
    with EmbeddedPostgres(folder) as database, EmbeddedNats(folder, callout=True) as broker:
        upgrade(database.dsn)
        secrets = asyncio.run(register(database.dsn, asked.logins))
        callout = broker.callout
        assert callout is not None
        options = CalloutOptions(
            callout.url,
            callout.user.username,
            callout.user.password,
            database.dsn,
            DEFAULT_PATTERNS,
        )
        with bare_server() as url, serving(replace(options, url=url), callout.seed) as service:
            runs = [asyncio.run(answers(url, secrets, service)) for _ in range(3)]
        some = dict(list(secrets.items())[: asked.revocations])
        with serving(options, callout.seed):
            took = asyncio.run(revocations_s(broker, database.dsn, some))
    folder.remove()
    found = {
        "answers_per_s": [round(rate) for rate, _ in runs],
        "cpu_us_per_answer": [round(spent_us) for _, spent_us in runs],
        "revoked_to_closed_ms": {
            "median": round(statistics.median(took) * 1e3, 1),
            "longest": round(max(took) * 1e3, 1),
        },
        "python": platform.python_version(),
    }
    print(json.dumps(found) if asked.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
