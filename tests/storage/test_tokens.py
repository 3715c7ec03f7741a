import re

import pytest

from storage import registry, tokens
from storage.errors import NotThereError, RegistryError
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration


def test_a_token_says_who_holds_it_until_it_is_revoked(database):
    async def work(conn):
        owner = await registry.add_operator(conn, "A", "A")
        theirs = await tokens.create(conn, "depot", "operator", owner)
        ours = await tokens.create(conn, "inspection", "inspector")
        holders = [await tokens.authenticate(conn, token) for token in (theirs, ours)]
        revoked = [await tokens.revoke(conn, 1) for _ in range(2)]
        return owner, holders, revoked, await tokens.authenticate(conn, theirs)

    owner, holders, revoked, gone = connected(database, work)
    assert holders == [(1, "depot", "operator", owner), (2, "inspection", "inspector", None)]
    assert (revoked, gone) == ([True, False], None)


def test_tokens_are_long_random_and_known_to_their_holder_alone(database):
    async def work(conn):
        made = {await tokens.create(conn, "x", "inspector") for _ in range(5)}
        text = await rows(conn, "SELECT t::text FROM api_tokens t")
        return made, str(text), await tokens.tokens(conn)

    made, text, listed = connected(database, work)
    assert len(made) == len(listed) == 5
    for token in made:
        assert re.fullmatch(r"ht_[\w-]{43}", token)
        assert token not in text


@pytest.mark.parametrize("token", ["", "ht_", "ht_" + "A" * 43, "\0", "\ud800"])
def test_a_token_that_nobody_made_opens_nothing(database, token):
    async def work(conn):
        await tokens.create(conn, "x", "inspector")
        return await tokens.authenticate(conn, token)

    assert connected(database, work) is None


def test_an_expired_token_opens_nothing(database):
    async def work(conn):
        token = await tokens.create(conn, "x", "inspector", expires_at=1_700_000_000_000_000)
        return await tokens.authenticate(conn, token)

    assert connected(database, work) is None


def test_an_operators_token_names_it_and_an_inspectors_names_none(database):
    async def work(conn):
        with pytest.raises(RegistryError):
            await tokens.create(conn, "x", "operator")
        with pytest.raises(NotThereError):
            await tokens.create(conn, "x", "operator", 99)
        owner = await registry.add_operator(conn, "A", "A")
        with pytest.raises(RegistryError):
            await tokens.create(conn, "x", "inspector", owner)
        return await tokens.tokens(conn)

    assert connected(database, work) == []


def test_the_api_role_can_authenticate_and_no_more(database):
    async def work(conn):
        token = await tokens.create(conn, "x", "inspector")
        async with conn.transaction():
            await conn.execute("SET LOCAL ROLE hanhtrinh_api")
            return await tokens.authenticate(conn, token)

    assert connected(database, work) == (1, "x", "inspector", None)
