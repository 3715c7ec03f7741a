"""Late data and reviews meet: through the pipeline, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from storage.access import keys, people
from storage.access.roles import NATION, Reach, Role
from storage.database import connect
from storage.errors import ReviewError
from storage.reading import session
from storage.reviews import steps
from storage.reviews.moves import Asked, Caller, Outcome, Standing
from tests.ingest.fleet import Sent, batch_of, new_pipeline, register
from tests.ingest.test_invariant import TABLES
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

FAST = [Sent(0, at, 106.60 + at * 0.0002, 10.75, 95.0) for at in range(0, 60, 10)]
REST = [Sent(0, at, 106.62, 10.75, 10.0) for at in (60, 70)]
LATE = [Sent(0, at + 5, 106.6 + (at + 5) * 0.0002, 10.75, 20.0) for at in range(0, 60, 10)]
"""Slow fixes between the fast ones: one of them divides the violation, all of them refute it."""

REASONS = {"excuse": "weather", "confirm": "facts_revised", "dismiss": "facts_revised",
           "appeal": "weather"}  # fmt: skip
WAYS = {
    "new": (),
    "acknowledged": (("op", "acknowledge"),),
    "excused": (("binh", "excuse"),),
    "confirmed": (("binh", "confirm"),),
    "appealed": (("binh", "confirm"), ("op", "appeal")),
    "dismissed": (("binh", "dismiss"),),
}
"""How each state is come to."""


class Case:
    """A speeding violation that was judged, and people who review it."""

    def __init__(self, conn: AsyncConnection[Any], digests: dict[str, bytes]) -> None:
        self.conn, self.digests, self.pipeline = conn, digests, new_pipeline()

    async def begin(self) -> None:
        await self.conn.execute(f"TRUNCATE {TABLES}".encode())
        await self.pipeline.refresh(self.conn)
        await self.send(FAST + REST)
        [(self.id,)] = await rows(
            self.conn, "SELECT id FROM violations WHERE kind = 'speeding' AND status = 'final'"
        )

    async def send(self, sent: list[Sent]) -> None:
        await self.pipeline.process(self.conn, batch_of(sent))

    async def read(self) -> Standing:
        async with self.conn.transaction():
            await session.begin(self.conn, self.digests["chi"], read_only=True, timeout_s=10)
            found = await steps.standing(self.conn, int(str(self.id)))
        assert found is not None
        return found

    async def step(
        self, who: str, what: Any, read: Standing | None = None, *, four_eyes: bool = False
    ) -> Outcome:
        read = read or await self.read()
        async with self.conn.transaction():
            scope = await session.begin(self.conn, self.digests[who], read_only=False, timeout_s=10)
            assert scope is not None
            return await steps.take(
                self.conn, int(str(self.id)), read, Caller(scope.person_id, scope.abilities),
                Asked(what, REASONS.get(what, ""), "because"), four_eyes=four_eyes,
            )  # fmt: skip

    async def judged_versions(self) -> list[tuple[str, int]]:
        """What was taken, the newest first, and on which version of the facts."""
        async with self.conn.transaction():
            await session.begin(self.conn, self.digests["chi"], read_only=True, timeout_s=10)
            history = await steps.history(self.conn, int(str(self.id)))
        return [(row.step, row.version) for row in history if row.act in ("taken", "agreed")]


@pytest.fixture(scope="module")
def there(postgres, migrated_template):
    async def prepare(conn):
        await register(conn)
        digests = {}
        who: dict[str, tuple[Role, Reach]] = {
            "binh": ("inspector", NATION), "chi": ("inspector", NATION),
            "op": ("operator", Reach(1)),
        }  # fmt: skip
        for name, (role, reach) in who.items():
            await people.create(conn, people.NewPerson(name, role, reach), None)
            person = await people.person_id(conn, name)
            made = await keys.create(conn, name, role, reach, person_id=person)
            digests[name] = keys.digest_of(made.key)
        return digests

    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)
        yield dsn, connected(dsn, prepare)


@pytest.fixture
def case(there) -> Callable[[Callable[[Case], Awaitable[Any]]], Any]:
    """Runs work on a case of its own."""
    return lambda work: run(there, work)


def run(there, work):
    dsn, digests = there

    async def main():
        async with await connect(dsn, name="test") as conn:
            await conn.set_autocommit(True)
            one = Case(conn, digests)
            await one.begin()
            return await work(one)

    return asyncio.run(main())


@pytest.mark.parametrize("state", WAYS)
def test_late_data_moves_the_facts_and_raises_a_flag_and_leaves_the_review(case, state):
    async def work(one):
        for who, what in WAYS[state]:
            await one.step(who, what)
        before = await one.read()
        await one.send([LATE[2]])
        return before, await one.read()

    before, after = case(work)
    assert (before.review, before.version, before.is_flagged) == (state, 1, False)
    assert (after.review, after.number) == (state, before.number)
    assert (after.status, after.version, after.is_flagged) == ("revised", 2, state != "new")


@pytest.mark.parametrize("state", [state for state in WAYS if state != "new"])
def test_the_flag_is_lowered_by_a_decision_on_the_new_facts_and_by_no_other(case, state):
    async def work(one):
        for who, what in WAYS[state]:
            await one.step(who, what)
        read = await one.read()
        await one.send([LATE[2]])
        with pytest.raises(ReviewError) as refused:
            await one.step("chi", "dismiss" if state != "dismissed" else "excuse", read)
        still = await one.read()
        await one.step("chi", "confirm")
        return refused.value.code, still, await one.read(), await one.judged_versions()

    code, still, after, judged = case(work)
    assert code == "version_mismatch"
    assert (still.review, still.is_flagged) == (state, True)
    assert (after.review, after.is_flagged) == ("confirmed", False)
    assert judged[0] == ("confirm", 2)


def test_what_late_data_refutes_under_a_review_is_withdrawn_flagged_and_dismissed(case):
    async def work(one):
        await one.step("binh", "confirm")
        await one.send(LATE)
        gone = await one.read()
        with pytest.raises(ReviewError):
            await one.step("chi", "confirm")
        await one.step("chi", "dismiss")
        return gone, await one.read()

    gone, after = case(work)
    assert (gone.status, gone.review, gone.is_flagged) == ("withdrawn", "confirmed", True)
    assert (after.status, after.review, after.is_flagged) == ("withdrawn", "dismissed", False)


def test_a_proposal_about_facts_that_late_data_revised_has_lapsed(case):
    async def work(one):
        await one.step("binh", "confirm", four_eyes=True)
        proposed = await one.read()
        await one.send([LATE[2]])
        with pytest.raises(ReviewError) as refused:
            await one.step("chi", "agree", proposed, four_eyes=True)
        return proposed, refused.value.code, await one.read()

    proposed, code, after = case(work)
    assert proposed.proposal is not None
    assert code == "version_mismatch"
    assert (after.review, after.proposal, after.is_flagged) == ("new", None, False)


def test_judging_the_same_again_raises_nothing(case):
    async def work(one):
        await one.step("binh", "confirm")
        await one.send(FAST + REST)
        await one.send([Sent(0, 200, 106.7, 10.75, 10.0)])
        return await one.read()

    after = case(work)
    assert (after.version, after.is_flagged) == (1, False)


@given(
    story=st.lists(
        st.sampled_from(LATE)
        | st.sampled_from(["confirm", "excuse", "dismiss", "acknowledge", "appeal"]),
        min_size=3, max_size=8,
    )
)  # fmt: skip
@settings(max_examples=5, deadline=None)
def test_it_is_flagged_while_nobody_has_judged_the_facts_as_they_are(there, story):
    async def work(one):
        for event in story:
            if isinstance(event, Sent):
                await one.send([event])
            else:
                who = "op" if event in ("acknowledge", "appeal") else "binh"
                try:
                    # Whoever confirmed it does not decide the appeal.
                    if who == "binh" and (await one.read()).review == "appealed":
                        who = "chi"
                    await one.step(who, event)
                except ReviewError:
                    continue
            now = await one.read()
            judging = [version for step, version in await one.judged_versions() if step != "appeal"]
            assert now.is_flagged == bool(judging and judging[0] < now.version)

    run(there, work)
