import re

import pytest

from storage import registry
from storage.access import keys, people
from storage.access.roles import NATION, Reach
from storage.errors import NotThereError, RegistryError
from storage.reading import session
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration


async def holder(conn, key, *, read_only=True):
    async with conn.transaction(force_rollback=True):
        return await session.begin(conn, keys.digest_of(key), read_only=read_only, timeout_s=10)


def test_a_key_says_who_holds_it_until_it_is_revoked(database):
    async def work(conn):
        owner = await registry.add_operator(conn, "A", "A")
        theirs = await keys.create(conn, "depot", "operator", Reach(owner), scopes=["read"])
        ours = await keys.create(conn, "inspection", "inspector")
        holders = [await holder(conn, made.key) for made in (theirs, ours)]
        revoked = [await keys.revoke(conn, theirs.id) for _ in range(2)]
        return owner, holders, revoked, await holder(conn, theirs.key)

    owner, (depot, inspection), revoked, gone = connected(database, work)
    assert (depot.name, depot.role, depot.reach) == ("depot", "operator", Reach(owner))
    assert depot.abilities == {"read"}
    assert (inspection.role, inspection.reach) == ("inspector", NATION)
    assert inspection.abilities == {
        "read", "write", "register", "devices", "personal", "quarantine", "decide",
    }  # fmt: skip
    assert (revoked, gone) == ([True, False], None)


def test_keys_are_long_random_and_known_to_their_holder_alone(database):
    async def work(conn):
        made = {(await keys.create(conn, "x", "inspector")).key for _ in range(5)}
        text = await rows(conn, "SELECT t::text FROM api_keys t")
        return made, str(text), await keys.keys(conn)

    made, text, listed = connected(database, work)
    assert len(made) == len(listed) == 5
    for key in made:
        assert re.fullmatch(r"ht_[\w-]{43}", key)
        assert key not in text


@pytest.mark.parametrize("key", ["", "ht_", "ht_" + "A" * 43, "\0", "\ud800"])
def test_a_key_that_nobody_has_opens_nothing(database, key):
    assert connected(database, lambda conn: holder(conn, key)) is None


def test_a_key_ends_by_itself(database):
    async def work(conn):
        made = await keys.create(conn, "x", "inspector", days=1)
        before = await holder(conn, made.key)
        await conn.execute("UPDATE api_keys SET expires_at = now()")
        return before, await holder(conn, made.key)

    before, after = connected(database, work)
    assert before is not None
    assert after is None


@pytest.mark.parametrize(
    ("role", "reach", "more"),
    [
        ("operator", NATION, {}),
        ("operator", Reach(province="Ha Noi"), {}),
        ("inspector", Reach(1), {}),
        ("administrator", Reach(province="Ha Noi"), {}),
        ("provider", NATION, {}),
        ("reader", Reach(1, "Ha Noi"), {}),
        ("king", NATION, {}),
        ("inspector", NATION, {"scopes": ["people"]}),
        ("inspector", NATION, {"scopes": []}),
        ("reader", NATION, {"scopes": ["read", "personal"]}),
        ("inspector", NATION, {"days": 367}),
        ("inspector", NATION, {"days": 0}),
    ],
)
def test_no_key_has_a_reach_a_scope_or_a_life_that_its_role_cannot_have(
    database, role, reach, more
):
    async def work(conn):
        await registry.add_operator(conn, "A", "A")
        with pytest.raises(RegistryError):
            await keys.create(conn, "x", role, reach, **more)
        return await keys.keys(conn)

    assert connected(database, work) == []


def test_a_key_of_an_operator_that_nobody_knows_is_refused(database):
    async def work(conn):
        with pytest.raises(NotThereError):
            await keys.create(conn, "x", "operator", Reach(99))

    connected(database, work)


def test_a_persons_key_ends_with_the_person_and_with_its_role(database):
    async def work(conn):
        await people.create(conn, people.NewPerson("an", "inspector"), None)
        person = await people.person_id(conn, "an")
        made = await keys.create(conn, "x", "inspector", person_id=person)
        found = [await holder(conn, made.key)]
        for change in (
            "UPDATE people SET role = 'reader'",
            "UPDATE people SET role = 'inspector', province = 'Ha Noi'",
            "UPDATE people SET province = NULL, disabled_at = now()",
            "UPDATE people SET disabled_at = NULL",
        ):
            await conn.execute(change)
            found.append(await holder(conn, made.key))
        return [one is not None for one in found]

    assert connected(database, work) == [True, False, False, False, True]


def test_keys_of_somebody_who_is_let_in_again_stay_ended(database):
    """They may be why the person was disabled: nobody knows who has them."""

    async def work(conn):
        made = []
        for name in ("an", "binh"):
            await people.create(conn, people.NewPerson(name, "inspector"), None)
            person = await people.person_id(conn, name)
            made.append(await keys.create(conn, "x", "inspector", person_id=person))
        made.append(await keys.create(conn, "a program's own", "inspector"))
        for disabled in (True, False):
            await people.set_disabled(conn, "an", disabled=disabled)
        return [await holder(conn, one.key) is not None for one in made]

    assert connected(database, work) == [False, True, True]


def test_a_key_is_given_what_it_was_made_too_early_for_and_no_more_than_its_role_may(database):
    async def work(conn):
        made = await keys.create(conn, "x", "inspector", scopes=["read", "write"])
        may = await keys.grant(conn, made.id, ["decide", "register", "read"])
        with pytest.raises(RegistryError, match="erase"):
            await keys.grant(conn, made.id, ["erase", "personal"])
        found = await holder(conn, made.key)
        await keys.revoke(conn, made.id)
        for number in (made.id, 99):
            with pytest.raises(NotThereError):
                await keys.grant(conn, number, ["personal"])
        return may, found

    may, found = connected(database, work)
    assert may == ["read", "write", "register", "decide"]
    assert found.abilities == set(may)


def test_a_key_that_is_rotated_is_another_secret_for_the_same_holder(database):
    async def work(conn):
        owner = await registry.add_operator(conn, "A", "A")
        old = await keys.create(conn, "depot", "operator", Reach(owner), scopes=["read"])
        new = await keys.rotate(conn, old.id, days=30, keep_old_s=3600)
        both = [await holder(conn, one.key) for one in (old, new)]
        newest = await keys.rotate(conn, new.id)
        with pytest.raises(NotThereError):
            await keys.rotate(conn, new.id)
        with pytest.raises(RegistryError, match="days"):
            await keys.rotate(conn, newest.id, days=400)
        ends = await rows(
            conn,
            "SELECT round(extract(epoch FROM expires_at - now()) / 3600), revoked_at IS NULL"
            " FROM api_keys ORDER BY id",
        )
        left = [await holder(conn, one.key) is not None for one in (old, new, newest)]
        return both, ends, left

    (before, after), ends, left = connected(database, work)
    assert (after.name, after.role, after.reach, after.abilities) == (
        before.name, before.role, before.reach, before.abilities,
    )  # fmt: skip
    assert ends == [(1, True), (0, False), (8760, True)]
    assert left == [True, False, True]
