"""Erased drivers in the quarantine: found however formats write them, and nobody else's."""

import json
import random
from base64 import b64encode

import pytest

from storage import forgetting, quarantine
from storage.access import audit, drivers, keys
from storage.access.roles import NATION, Reach, Role
from storage.quarantine import Quarantined
from storage.reading import session
from storage.registry import registering
from storage.registry.records import DriverRecord, OperatorRecord, VehicleRecord
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

T0 = 1_777_881_600_000_000
LICENCE, OTHER = "790123456789", "790123456780"
CARD, KEY = "0a1b2c3d4e5f6071", 305_419_896
NOISE = random.Random(7)


def noise(least=0):
    return NOISE.randbytes(least + NOISE.randrange(60))


def ways(name):
    """How formats write a name, each between bytes that mean nothing."""
    text = name.encode()
    packed = bytes.fromhex(name)
    found = [text, packed, packed[::-1], json.dumps({"driver": name}).encode()]
    # The three places at which a text may begin in base64.
    found += [b64encode(NOISE.randbytes(ahead) + text + noise(2)) for ahead in (3, 4, 5)]
    if name.isdecimal():
        number = int(name)
        found += [number.to_bytes(8, "big"), number.to_bytes(8, "little")]
    return [noise() + one + noise() for one in found]


def message(payload, n, **facts):
    return Quarantined(f"gsht/v1/gt06/dev-{n}", payload, T0 + n, "bad_checksum", **facts)


def entries():
    """Messages that name the driver, and messages that do not, in a random order."""
    naming = [*ways(LICENCE), *ways(CARD), noise() + KEY.to_bytes(4, "little") + noise()]
    others = [*ways(OTHER), LICENCE[:-1].encode(), b"", *(noise(20) for _ in range(30))]
    made = [message(payload, n) for n, payload in enumerate(naming)]
    # What is said of a message may name a driver where the bytes that were kept do not.
    made.append(message(b"cut", 900, detail=f"driver: expected a licence, got {LICENCE!r}"))
    left = [message(payload, 100 + n) for n, payload in enumerate(others)]
    # The sender's own name is no driver's.
    left.append(message(LICENCE.encode(), 901, sender=LICENCE))
    left.append(message(b"\x01" + LICENCE.encode(), 902, ident=LICENCE))
    both = [*made, *left]
    NOISE.shuffle(both)
    return both, {entry.topic for entry in made}


async def register(conn):
    """Two drivers of an operator; one drove with a card and a key. Returns its number."""
    await registering.register(conn, [OperatorRecord(code="north", name="North")])
    await registering.register(conn, [VehicleRecord(plate="51B12345", operator="north")])
    [number, *_] = await registering.register(
        conn,
        [DriverRecord(licence=licence, operator="north") for licence in (LICENCE, OTHER, "driver")],
    )
    await conn.execute(
        "INSERT INTO driving_spans VALUES (1, '2026-05-04 08:00Z', '2026-05-04 09:00Z', %s, 'p',"
        " false, false, false, 0, 0, 2, 0, 0, 0, 0)",
        [number],
    )
    carried = {"card": CARD, "driver_key": KEY, "phone": "0901234567", "driver": "yes"}
    await conn.execute(
        "INSERT INTO fix_extras VALUES (1, '2026-05-04 08:30Z', %s)", [json.dumps(carried)]
    )
    return number


async def asked(conn, role: Role, reach: Reach, ask):
    """What `ask(conn)` returns to a caller of the API."""
    made = await keys.create(conn, role, role, reach)
    async with conn.transaction():
        await session.begin(conn, keys.digest_of(made.key), read_only=False, timeout_s=10)
        return await ask(conn)


async def erase(conn, number):
    found = await asked(conn, "operator", Reach(1), lambda conn: drivers.erase(conn, number, 1096))
    assert found.why is None


LOOK = """SELECT topic, length(payload), payload_bytes, reason, detail, emptied_at IS NOT NULL,
    length(digest) FROM quarantine ORDER BY id"""


def test_what_names_an_erased_driver_is_emptied_and_what_does_not_is_left(database, monkeypatch):
    both, naming = entries()
    sizes = {entry.topic: len(entry.payload) for entry in both}
    monkeypatch.setattr(forgetting, "SEARCH_ROWS", 7)

    async def work(conn):
        number = await register(conn)
        await quarantine.insert(conn, both)
        before = await asked(conn, "inspector", NATION, lambda c: drivers.quarantined(c, number))
        await erase(conn, number)
        emptied = await forgetting.forget(conn, "here")
        told = [json.loads(row.detail) async for row in audit.rows(conn)]
        after = await asked(conn, "inspector", NATION, lambda c: drivers.quarantined(c, number))
        left = await rows(conn, LOOK)
        whole = await quarantine.messages(conn, range(1, len(both) + 1))
        return before, emptied, told, after, left, whole, await rows(conn, "TABLE erased_names")

    before, emptied, told, after, left, whole, searches = connected(database, work)
    assert {one.topic for one in before} == naming
    assert after == searches == []
    assert emptied == len(naming)
    assert {row[0] for row in left if row[5]} == naming
    for topic, length, payload_bytes, reason, detail, is_emptied, digest in left:
        assert payload_bytes == sizes[topic]
        assert (length, digest) == (0 if is_emptied else payload_bytes, 32)
        assert reason == "bad_checksum"
        assert LICENCE not in detail
    assert {one.topic for one in whole} == sizes.keys() - naming
    assert sum(step["emptied"] for step in told) == len(naming)
    assert [step["is_over"] for step in told].count(True) == 1
    assert len(told) > 3


def test_what_is_handed_out_is_the_bytes_around_the_place(database):
    long = b"\xff" * 9_000 + LICENCE.encode() + b"\xfe" * 5_000

    async def work(conn):
        number = await register(conn)
        await quarantine.insert(conn, [message(long, 1), message(LICENCE.encode(), 2)])
        return [
            await asked(conn, "inspector", reach, lambda c: drivers.quarantined(c, number))
            for reach in (NATION, Reach(province="Hue"))
        ]

    (longer, short), of_a_province = connected(database, work)
    assert of_a_province == []
    assert (longer.payload_bytes, longer.skipped) == (len(long), 9_001 - 2_048)
    assert longer.excerpt == b64encode(long[longer.skipped :][:4_096]).decode()
    assert (short.skipped, short.excerpt) == (0, b64encode(LICENCE.encode()).decode())


def test_what_was_emptied_stays_so_when_it_comes_again_and_is_counted(database):
    entry = message(LICENCE.encode(), 1, detail=f"got {LICENCE}")

    async def work(conn):
        number = await register(conn)
        await quarantine.insert(conn, [entry])
        await erase(conn, number)
        # Whoever stops after a step goes on there.
        async with conn.transaction(force_rollback=True):
            assert await forgetting.forget(conn, "here") == 1
        assert await forgetting.forget(conn, "here") == 1
        assert await forgetting.forget(conn, "here") == 0
        await quarantine.insert(conn, [entry])
        [waiting] = await quarantine.page(conn)
        return waiting, await rows(conn, "SELECT length(payload), seen FROM quarantine")

    waiting, kept = connected(database, work)
    assert kept == [(0, 2)]
    assert waiting.detail == "it named a driver who was erased"


def test_a_name_that_could_be_anything_is_not_looked_for(database):
    async def work(conn):
        await register(conn)
        names = ["driver", "0000000000", "12345", "000000000001", "ABCDEF", "x" * 65]
        return await rows(conn, "SELECT written_forms(%s)", names)

    [(forms,)] = connected(database, work)
    # Zeros are text or nothing: bytes of zeros are everywhere.
    assert b"000000000001" in [bytes(form) for form in forms]
    assert len(forms) == 1 + 1 + 16 + 4
    assert all(bytes(form).isalnum() and len(form) >= 12 for form in forms)
