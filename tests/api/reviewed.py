"""A world with people of an authority and of an operator, and violations of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import psycopg

from geofence.interval import Interval
from storage import violations
from storage.access import audit, keys, people
from storage.access.roles import NATION, Reach, Role
from tests.api.server import LIMITLESS, Client, running
from tests.api.world import HOUR, T0, S, World, build, do, interval

OPTIONS = replace(
    LIMITLESS, four_eyes=("overload_*",), most_attachments=3, most_attachment_bytes=50_000,
    most_attachment_bytes_per_day=200_000,
)  # fmt: skip


@dataclass
class Authority:
    """Clients by name: binh and chi may decide in the nation, duc in Ha Noi, op is of the north."""

    world: World
    owner: psycopg.Connection
    clients: dict[str, Client]
    starts: Iterator[int]

    def fresh(self, kind: str = "speeding", *, is_open: bool = False, **more: Any) -> Interval:
        """Facts of the north that no other test has, stored."""
        start = T0 + 20 * HOUR + next(self.starts) * S
        made = interval(kind, self.world.n1, start, start + 60 * S, is_open=is_open, **more)
        self.judge([made])
        return made

    def judge(self, found: list[Interval]) -> None:
        """Let the worker find this."""
        do(self.world.dsn, lambda conn: violations.write(conn, found, "late data"))

    def revise(self, facts: Interval) -> None:
        """Late data shows one more fix."""
        self.judge([replace(facts, fixes=facts.fixes + 1)])

    def new(self, kind: str = "speeding") -> int:
        """A violation of the north that no other test looks at."""
        return self.id_of(self.fresh(kind))

    def id_of(self, facts: Interval) -> int:
        found = self.owner.execute(
            "SELECT max(id) FROM violations WHERE kind = %s AND vehicle_id = %s"
            " AND started_at = to_timestamp(%s / 1e6)",
            [facts.kind, facts.vehicle, facts.started],
        )
        [(number,)] = found.fetchall()
        return int(number)

    def tag(self, violation: int) -> str:
        """What has to be sent to show that the violation was read."""
        found = self.owner.execute(
            "SELECT format('\"%%s-%%s\"', version, review_number) FROM violations WHERE id = %s",
            [violation],
        )
        [(tag,)] = found.fetchall()
        return str(tag)

    def step(self, who: str, violation: int, step: str, tag: str | None = None, **body: str) -> Any:
        """The answer to a step on what was read just now, with good reasons unless it has some."""
        reasons = {"appeal": "weather", "excuse": "weather", "dismiss": "wrong_vehicle",
                   "confirm": "evidence_stands"}  # fmt: skip
        body = {"reason": reasons.get(step, ""), "text": f"{step} of {who}"} | body
        headers = {"If-Match": self.tag(violation) if tag is None else tag}
        return self.clients[who].ask(
            "POST", f"/violations/{violation}/reviews", json={"step": step, **body}, headers=headers
        )

    def refused(self, *asked: Any, **body: Any) -> tuple[int, str]:
        """Status and code of a step that must fail."""
        answer = self.step(*asked, **body)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["code"]

    def took(self, *asked: Any, **body: Any) -> Any:
        """What a step that must succeed comes to."""
        answer = self.step(*asked, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def state(self, violation: int) -> tuple[Any, ...]:
        """Its review, the count of what happened, whether it is flagged, what is proposed."""
        [found] = self.owner.execute(
            "SELECT review, review_number, revised_under_review, proposal FROM violations"
            " WHERE id = %s",
            [violation],
        ).fetchall()
        return found

    def audited(self) -> list[audit.Row]:
        async def look(conn: Any) -> list[audit.Row]:
            return [row async for row in audit.rows(conn)]

        rows: list[audit.Row] = do(self.world.dsn, look)
        return rows


PEOPLE: dict[str, tuple[Role, str]] = {
    "binh": ("inspector", ""), "chi": ("inspector", ""), "duc": ("inspector", "province"),
    "boss": ("administrator", ""), "op": ("operator", "operator"),
}  # fmt: skip


async def add_clients(conn: Any, world: World) -> dict[str, str]:
    """Keys: two of each person, and programs'."""
    reaches = {
        "": NATION, "province": Reach(province="Ha Noi"), "operator": Reach(world.north),
    }  # fmt: skip
    made = {
        "inspector": world.inspector, "north": world.of_north, "south": world.of_south,
        **world.others,
    }  # fmt: skip
    for name, (role, reach) in PEOPLE.items():
        await people.create(conn, people.NewPerson(name, role, reaches[reach]), None)
        number = await people.person_id(conn, name)
        for key in (name, f"{name} again"):
            made[key] = (await keys.create(conn, key, role, reaches[reach], person_id=number)).key
    number = await people.person_id(conn, "binh")
    made["binh reading"] = (
        await keys.create(conn, "r", "inspector", scopes=["read", "write"], person_id=number)
    ).key
    return made


@contextmanager
def authority(dsn: str) -> Iterator[Authority]:
    world = build(dsn)
    made = do(dsn, lambda conn: add_clients(conn, world))
    with psycopg.connect(dsn, autocommit=True) as owner, running(dsn, OPTIONS) as (app, base):
        clients = {name: Client(app, base, key) for name, key in made.items()}
        try:
            yield Authority(world, owner, clients, count())
        finally:
            for client in clients.values():
                client.http.close()
