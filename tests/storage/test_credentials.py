import re
import time

import pytest

from geofence.registry import StationRule
from storage import credentials, registry
from storage.errors import AlreadyThereError, NotThereError, RegistryError
from storage.registry import changing
from storage.secret_hash import CHOSEN_ITERATIONS, MADE_ITERATIONS, hashed, matches, new_secret
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration
IMEI = "352093081429150"
HOUR_US = 3_600_000_000


def now_us():
    return time.time_ns() // 1000


def with_device(dsn, work, ident=IMEI):
    async def go(conn):
        await registry.add_device(conn, ident)
        return await work(conn)

    return connected(dsn, go)


async def fitting(conn, ident, secret):
    """Which secrets in force fit."""
    known = (await credentials.to_check(conn, [ident])).get(ident, [])
    return [one.secret_id for one in known if matches(one.kept, secret)]


def test_a_secret_is_long_random_and_known_to_its_holder_alone(database):
    async def work(conn):
        made = [(await credentials.rotate(conn, IMEI)).secret for _ in range(5)]
        return made, str(await rows(conn, "SELECT s::text FROM device_secrets s"))

    made, text = with_device(database, work)
    assert len(set(made)) == 5
    for secret in made:
        assert re.fullmatch(r"hd[a-z2-7]{30}", secret)
        assert secret not in text


def test_a_new_secret_ends_the_one_before_at_once_unless_told_otherwise(database):
    async def work(conn):
        first = await credentials.rotate(conn, IMEI)
        second = await credentials.rotate(conn, IMEI)
        return [await fitting(conn, IMEI, made.secret) for made in (first, second)], second

    fits, second = with_device(database, work)
    assert fits == [[], [second.secret_id]]


def test_what_is_retired_is_let_in_no_longer_and_gets_no_new_secret(database):
    async def work(conn):
        device = await registry.add_device(conn, IMEI)
        other = await registry.add_device(conn, "another")
        station = await registry.add_station(conn, StationRule(0, "scale", 105.0, 21.0))
        names: dict[str, credentials.Kind] = {
            IMEI: "device", "another": "device", "scale": "station", "vnet": "provider",
        }  # fmt: skip
        made = [await credentials.rotate(conn, name, kind=kind) for name, kind in names.items()]
        await changing.retire(conn, "device", [device])
        await changing.retire(conn, "station", [station.id])
        fits = [
            bool(await fitting(conn, name, one.secret or ""))
            for name, one in zip(names, made, strict=True)
        ]
        for name in (IMEI, "scale"):
            with pytest.raises(NotThereError, match="not retired"):
                await credentials.rotate(conn, name)
        assert await credentials.revoke(conn, IMEI) == 0
        await changing.retire(conn, "device", [other])
        return fits, set(await credentials.revoked_since(conn, 60))

    fits, told = connected(database, work)
    assert fits == [False, True, False, True]
    assert told == {IMEI, "scale", "another"}


def test_two_secrets_work_beside_each_other_until_the_chosen_time_and_never_three(database):
    until = now_us() + HOUR_US

    async def work(conn):
        made = [await credentials.rotate(conn, IMEI, keep_old_until=until) for _ in range(3)]
        [login] = await credentials.logins(conn)
        fits = [bool(await fitting(conn, IMEI, one.secret)) for one in made]
        return fits, [secret.valid_until for secret in login.secrets]

    fits, ends = with_device(database, work)
    assert fits == [False, True, True]
    assert ends[0] == until
    assert ends[1] > until


def test_a_later_rotation_never_makes_an_old_secret_last_longer(database):
    soon, later = now_us() + HOUR_US, now_us() + 9 * HOUR_US

    async def work(conn):
        await credentials.rotate(conn, IMEI)
        await credentials.rotate(conn, IMEI, keep_old_until=soon)
        await credentials.revoke(conn, IMEI, secret_id=2)
        await credentials.rotate(conn, IMEI, keep_old_until=later)
        [login] = await credentials.logins(conn)
        return {secret.id: secret.valid_until for secret in login.secrets}

    assert with_device(database, work)[1] == soon


def test_what_was_revoked_opens_nothing_and_one_of_two_can_be_revoked(database):
    until = now_us() + HOUR_US

    async def work(conn):
        first = await credentials.rotate(conn, IMEI)
        second = await credentials.rotate(conn, IMEI, keep_old_until=until)
        counts = [await credentials.revoke(conn, IMEI, first.secret_id)]
        fits = [await fitting(conn, IMEI, made.secret) for made in (first, second)]
        counts += [await credentials.revoke(conn, IMEI) for _ in range(2)]
        return counts, fits, await credentials.to_check(conn, [IMEI]), second

    counts, fits, left, second = with_device(database, work)
    assert (counts, fits, left) == ([1, 1, 0], [[], [second.secret_id]], {})


def test_what_people_chose_is_hashed_slowly_and_what_we_made_is_not(database):
    async def work(conn):
        await credentials.rotate(conn, IMEI)
        until = now_us() + HOUR_US
        given = await credentials.rotate(conn, IMEI, password="correct horse", keep_old_until=until)
        known = (await credentials.to_check(conn, [IMEI]))[IMEI]
        return given, [one.kept.iterations for one in known]

    given, iterations = with_device(database, work)
    assert given.secret is None
    assert iterations == [CHOSEN_ITERATIONS, MADE_ITERATIONS]


def test_the_same_password_is_kept_in_another_form_every_time():
    secret = new_secret()
    assert hashed(secret, 1).digest != hashed(secret, 1).digest


@pytest.mark.parametrize(
    "ident",
    ["", "+", "a+", "#", "a/b/c", "/a", "a/", "a b", "a:b", "a\n", "a*", ">", "$SYS", "é", "a,b",
     "worker", "hanhtrinh-worker-0", "a//b", "a\0", "%u", '"', "x" * 200],
)  # fmt: skip
def test_a_name_that_could_mean_more_than_itself_gets_no_login(database, ident):
    async def work(conn):
        with pytest.raises(RegistryError):
            await credentials.rotate(conn, ident, kind="provider")
        return await credentials.logins(conn)

    assert connected(database, work) == []


def test_only_what_is_registered_gets_a_login(database):
    async def work(conn):
        for kind in ("device", "station"):
            with pytest.raises(NotThereError):
                await credentials.rotate(conn, "nobody", kind=kind)
        await credentials.rotate(conn, "VTA", kind="provider")
        with pytest.raises(AlreadyThereError):
            await credentials.rotate(conn, "VTA", kind="station")
        return [login.kind for login in await credentials.logins(conn)]

    assert connected(database, work) == ["provider"]


def test_nobody_takes_a_client_id_that_is_anothers(database):
    async def work(conn):
        await registry.add_devices(conn, ["one", "two", "three"])
        await credentials.rotate(conn, "one", client_id="box")
        for ident, client_id in (
            ("two", "box"),
            ("two", "one"),
            ("three", "hanhtrinh-worker-0"),
            ("three", "a.b"),
        ):
            with pytest.raises(RegistryError):
                await credentials.rotate(conn, ident, client_id=client_id)
        await credentials.rotate(conn, "two")
        with pytest.raises(AlreadyThereError):
            await credentials.rotate(conn, "one", client_id="two")
        return [(login.ident, login.client_id) for login in await credentials.logins(conn)]

    assert connected(database, work) == [("one", "box"), ("two", "two")]


def test_the_api_role_reads_neither_logins_nor_secrets(database):
    from psycopg.errors import InsufficientPrivilege

    async def read(conn, table):
        async with conn.transaction():
            await conn.execute("SET LOCAL ROLE hanhtrinh_api")
            await rows(conn, f"SELECT * FROM {table}")

    async def work(conn):
        for table in ("device_logins", "device_secrets"):
            with pytest.raises(InsufficientPrivilege):
                await read(conn, table)

    connected(database, work)
