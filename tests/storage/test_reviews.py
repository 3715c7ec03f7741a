"""What the database keeps of reviews, and what it refuses whoever asks it."""

import asyncio
from dataclasses import replace
from random import Random

import psycopg
import pytest
from psycopg import errors as pg

from storage import registry, violations
from storage.access import keys, people
from storage.access.roles import NATION, Reach, Role
from storage.database import connect
from storage.errors import ReviewError
from storage.reading import session
from storage.registry import NewVehicle
from storage.reviews import steps
from storage.reviews.moves import (
    ACTS,
    ANSWERS,
    DECISIONS,
    MOVES,
    STEPS,
    Asked,
    Caller,
    Proposal,
    Standing,
    judge,
    possible,
)
from tests.storage.connected import connected
from tests.storage.test_revisions import BASE

pytestmark = pytest.mark.integration

KINDS: dict[str, Role] = {
    "binh": "inspector", "chi": "inspector", "duc": "inspector", "op": "operator",
}  # fmt: skip


async def populate(conn):
    """An operator with a vehicle, its person op, and people of the authority."""
    owner = await registry.add_operator(conn, "A", "A")
    assert await registry.add_vehicles(conn, [NewVehicle("29C00001", owner)]) == [1]
    made = {}
    for name, role in KINDS.items():
        reach = Reach(owner) if role == "operator" else NATION
        await people.create(conn, people.NewPerson(name, role, reach), None)
        number = await people.person_id(conn, name)
        key = (await keys.create(conn, name, role, reach, person_id=number)).key
        made[name] = (keys.digest_of(key), number)
    return made


@pytest.fixture(scope="module")
def there(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)
        yield dsn, connected(dsn, populate)


def test_the_database_knows_the_moves_that_the_code_knows(there):
    with psycopg.connect(there[0]) as conn:
        found = conn.execute("SELECT step, from_state, to_state FROM review_moves").fetchall()
    assert set(found) == MOVES


def events(random, length):
    """Who does what, by its name or as the n-th of what is possible; and whether on an old reading.

    Mostly what is possible, so that walks get far; sometimes anything at all.
    """
    for _ in range(length):
        match random.choices(["possible", "late", "anything", "refute"], [70, 15, 14, 1]):
            case ["possible"]:
                yield random.choice(["op", *KINDS]), random.randrange(8), False
            case ["late"]:
                yield "worker", random.choice(["revise", "revise", "grow"]), False
            case ["anything"]:
                what = random.choice([*STEPS, *ANSWERS])
                yield random.choice([*KINDS]), what, random.random() < 0.5
            case _:
                yield "worker", "refute", False


REASONS = {"appeal": "weather", "excuse": "weather", "confirm": "other", "dismiss": "other"}


class Walk:
    """A violation in the database, and how the review of it has to stand."""

    def __init__(self, conn, made, four_eyes):
        self.conn, self.made, self.four_eyes = conn, made, four_eyes
        self.facts = replace(BASE, vehicle=1)
        self.id = self.proposer = 0
        self.seen = set()
        self.now = Standing("speeding", "final", 1, "new", 0, is_flagged=False)

    async def begin(self):
        [(last,)] = await (
            await self.conn.execute(
                "SELECT coalesce(max((extract(epoch FROM started_at) * 1e6)::bigint), 0)"
                " FROM violations"
            )
        ).fetchall()
        self.facts = replace(self.facts, started=last + 1_000, ended=last + 1_100)
        await violations.write(self.conn, [self.facts])
        [(self.id,)] = await (await self.conn.execute("SELECT max(id) FROM violations")).fetchall()

    async def work(self, what):
        """Late data: other facts, a violation that goes on again, or none."""
        now = self.now
        if now.status == "withdrawn":
            return
        if what == "refute":
            await self.conn.execute(violations.SQL["withdraw"], {"id": [self.id]})
            status = "withdrawn"
        else:
            is_open = what == "grow"
            self.facts = replace(self.facts, fixes=self.facts.fixes + 1, is_open=is_open)
            await violations.write(self.conn, [self.facts], "late data")
            status = "open" if is_open else "revised"
            if now.status == "open":  # it goes on in place
                self.now = replace(now, status="open" if is_open else "revised")
                return
        self.now = replace(
            now, status=status, version=now.version + 1, proposal=None,
            is_flagged=now.is_flagged or now.review != "new",
        )  # fmt: skip

    def expected(self, caller, asked):
        """What comes of a step, or the code of the refusal."""
        try:
            return judge(self.now, caller, asked, four_eyes=self.four_eyes)
        except ReviewError as refusal:
            return refusal.code

    async def step(self, who, what, is_stale):
        digest, person = self.made[who]
        async with self.conn.transaction():
            scope = await session.begin(self.conn, digest, read_only=False, timeout_s=10)
            assert scope is not None
            caller = Caller(person, scope.abilities)
            if isinstance(what, int):
                ways = possible(self.now, caller, four_eyes=self.four_eyes) or ["appeal"]
                what = ways[what % len(ways)]
            asked = Asked(what, REASONS.get(what, ""), "because")
            read = await steps.standing(self.conn, self.id)
            assert read is not None
            if is_stale:
                read = replace(read, number=read.number - 1)
            expected = self.expected(caller, asked)
            taking = steps.take(self.conn, self.id, read, caller, asked, four_eyes=self.four_eyes)
            if is_stale or isinstance(expected, str):
                with pytest.raises(ReviewError) as refused:
                    await taking
                code = expected if isinstance(expected, str) else "version_mismatch"
                assert refused.value.code == code
                return
            assert await taking == expected
        self.seen.add(expected)
        self.follow(expected, person)

    def follow(self, outcome, person):
        """What the page says of a step's effect."""
        now, number = self.now, self.now.number + 1
        has_effect = outcome.act in ("taken", "agreed")
        proposal = None
        if outcome.act == "proposed":
            proposal, self.proposer = Proposal(number, outcome.move.step, person), person
        elif outcome.move.step == "acknowledge":
            proposal = now.proposal
        confirmers = set(now.confirmers)
        if has_effect and outcome.move.step == "confirm":
            confirmers.add(person)
            if outcome.act == "agreed":
                confirmers.add(self.proposer)
        lowers = has_effect and outcome.move.step != "appeal"
        self.now = replace(
            now,
            review=outcome.move.after if has_effect else now.review,
            number=number,
            is_flagged=now.is_flagged and not lowers,
            proposal=proposal,
            confirmers=frozenset(confirmers),
        )

    async def check(self):
        async with self.conn.transaction():
            await session.begin(self.conn, self.made["duc"][0], read_only=True, timeout_s=10)
            found = await steps.standing(self.conn, self.id)
            history = await steps.history(self.conn, self.id)
        assert found == self.now
        assert len(history) == self.now.number
        taken = [row.to_state for row in history if row.act in ("taken", "agreed")]
        assert (taken or ["new"])[0] == self.now.review


SEEDS = (2105, 644, 1913)
"""Walks that take, together, every move and every act; the test says so if they no longer do."""


def test_wherever_people_and_late_data_lead_the_database_stands_where_the_page_says(there):
    dsn, made = there
    seen = set()

    async def go():
        conn = await connect(dsn, name="test")
        try:
            for seed in SEEDS:
                one = Walk(conn, made, four_eyes=bool(seed % 2))
                await one.begin()
                checked = one.now
                for who, what, is_stale in events(Random(seed), 40):
                    if who == "worker":
                        await one.work(what)
                    else:
                        await one.step(who, what, is_stale)
                    if one.now != checked:
                        await one.check()
                        checked = one.now
                await one.check()
                seen.update(one.seen)
        finally:
            await conn.close()

    asyncio.run(go())
    # The walks have been everywhere, and back where they came from.
    assert {move for _, move in seen} == MOVES
    assert {(act, move.step) for act, move in seen} == {
        *(("taken", step) for step in STEPS),
        *((act, step) for act in ("proposed", *ACTS.values()) for step in DECISIONS),
    }


INSERT = (
    "INSERT INTO violation_reviews (violation_id, number, act, step, from_state, to_state, version)"
    " VALUES (%s, %s, %s, %s, %s, %s, 1)"
)


@pytest.fixture
def asked(there):
    """A violation, and a way to send statements about it as somebody."""
    dsn, made = there

    async def find(conn):
        walk = Walk(conn, made, four_eyes=False)
        await walk.begin()
        return walk.id

    number = connected(dsn, find)

    def ask(who, statement, *values):
        role = KINDS[who]
        with psycopg.connect(dsn) as conn:
            conn.execute("SELECT set_config('hanhtrinh.caller', %s, true)", [made[who][0].hex()])
            conn.execute(f"SET LOCAL ROLE hanhtrinh_{role}".encode())
            conn.execute(statement, values)

    def owner(statement, *values):
        with psycopg.connect(dsn) as conn:
            return conn.execute(statement, values).fetchall()

    return number, ask, owner


def test_who_took_a_step_follows_from_the_secret_and_from_nothing_that_is_said(asked):
    one, ask, owner = asked
    ask("binh", INSERT, one, 1, "taken", "confirm", "new", "confirmed")
    named = INSERT.replace("version)", "version, person_id, actor)").replace("1)", "1, 4, 'x')")
    with pytest.raises(pg.InsufficientPrivilege):
        ask("op", named, one, 2, "taken", "appeal", "confirmed", "appealed")
    ask("op", INSERT, one, 2, "taken", "appeal", "confirmed", "appealed")
    told = "SELECT number, actor, role, operator_id FROM violation_reviews WHERE violation_id = %s"
    assert owner(told + " ORDER BY 1", one) == [
        (1, "person binh", "inspector", None), (2, "person op", "operator", 1),
    ]  # fmt: skip
    assert owner("SELECT review, review_number FROM violations WHERE id = %s", one) == [
        ("appealed", 2)
    ]


@pytest.mark.parametrize(
    ("who", "step", "error"),
    [
        # A step of the other side, one that there is not, one past another, one from elsewhere.
        ("op", (1, "taken", "confirm", "new", "confirmed"), pg.InsufficientPrivilege),
        ("binh", (1, "taken", "acknowledge", "new", "acknowledged"), pg.InsufficientPrivilege),
        ("binh", (1, "taken", "confirm", "new", "dismissed"), pg.ForeignKeyViolation),
        ("op", (1, "taken", "appeal", "new", "appealed"), pg.ForeignKeyViolation),
        ("binh", (2, "taken", "confirm", "new", "confirmed"), pg.SerializationFailure),
        ("binh", (1, "taken", "confirm", "acknowledged", "confirmed"), pg.SerializationFailure),
        ("binh", (1, "taken", "confirm", "confirmed", "confirmed"), pg.SerializationFailure),
        ("binh", (1, "agreed", "confirm", "new", "confirmed"), pg.CheckViolation),
        ("binh", (1, "whatever", "confirm", "new", "confirmed"), pg.CheckViolation),
    ],
)
def test_a_step_that_is_none_is_refused_by_the_database_too(asked, who, step, error):
    one, ask, owner = asked
    with pytest.raises(error):
        ask(who, INSERT, one, *step)
    assert owner("SELECT review, review_number FROM violations WHERE id = %s", one) == [("new", 0)]


def test_two_are_two_and_no_confirmer_decides_the_appeal_whatever_the_api_forgets(asked):
    one, ask, owner = asked
    ask("binh", INSERT, one, 1, "proposed", "confirm", "new", "confirmed")
    for act in ("agreed", "refused"):
        with pytest.raises(pg.CheckViolation, match="four_eyes"):
            ask("binh", INSERT, one, 2, act, "confirm", "new", "confirmed")
    with pytest.raises(pg.CheckViolation, match="four_eyes"):
        ask("chi", INSERT, one, 2, "withdrawn", "confirm", "new", "confirmed")
    with pytest.raises(pg.CheckViolation, match="answered_proposal"):
        ask("chi", INSERT, one, 2, "agreed", "dismiss", "new", "dismissed")
    ask("chi", INSERT, one, 2, "agreed", "confirm", "new", "confirmed")
    ask("op", INSERT, one, 3, "taken", "appeal", "confirmed", "appealed")
    for who in ("binh", "chi"):
        for act in ("taken", "proposed"):
            with pytest.raises(pg.InsufficientPrivilege, match="did not confirm"):
                ask(who, INSERT, one, 4, act, "dismiss", "appealed", "dismissed")
    ask("duc", INSERT, one, 4, "taken", "dismiss", "appealed", "dismissed")
    assert owner("SELECT review FROM violations WHERE id = %s", one) == [("dismissed",)]


def test_nothing_of_a_review_is_changed_not_even_by_the_owner(asked):
    one, ask, owner = asked
    ask("op", INSERT, one, 1, "taken", "acknowledge", "new", "acknowledged")
    with pytest.raises(pg.InsufficientPrivilege, match="only ever added to"):
        owner("UPDATE violation_reviews SET text = '' RETURNING 1")
    for who in KINDS:
        with pytest.raises(pg.InsufficientPrivilege):
            ask(who, "DELETE FROM violation_reviews WHERE violation_id = %s", one)
        with pytest.raises(pg.InsufficientPrivilege):
            ask(who, "UPDATE violations SET review = 'dismissed' WHERE id = %s", one)


def test_a_file_is_what_its_digest_says(asked):
    one, ask, _ = asked
    add = (
        "INSERT INTO violation_attachments (violation_id, name, type, bytes, sha256, content)"
        " VALUES (%s, 'x.txt', 'text/plain', %s, sha256(%s), 'abc')"
    )
    ask("op", add, one, 3, b"abc")
    for size, digested in ((2, b"abc"), (3, b"abd")):
        with pytest.raises(pg.CheckViolation):
            ask("op", add, one, size, digested)
