"""A review from beginning to end, on whatever database there is."""

from dataclasses import replace

from psycopg import AsyncConnection

from storage import violations
from storage.access import keys, people
from storage.reading import session
from storage.reviews import steps
from storage.reviews.moves import Asked, Caller, What
from tests.storage.connected import rows
from tests.storage.test_revisions import BASE


async def reviewed_by_two(
    conn: AsyncConnection, vehicle: int
) -> tuple[list[str], list[tuple[object, ...]]]:
    """An proposes to confirm, Binh agrees, and late data revises the facts after that.

    Returns what either did, and how the violation stands.
    """
    facts = replace(BASE, vehicle=vehicle)
    await violations.write(conn, [facts])
    [(number,)] = await rows(conn, "SELECT id FROM violations WHERE vehicle_id = %s", vehicle)
    assert isinstance(number, int)
    acts = []
    answers: dict[str, What] = {"an": "confirm", "binh": "agree"}
    for name, what in answers.items():
        await people.create(conn, people.NewPerson(name, "inspector"), None)
        person = await people.person_id(conn, name)
        key = await keys.create(conn, name, "inspector", person_id=person)
        async with conn.transaction():
            digest = keys.digest_of(key.key)
            scope = await session.begin(conn, digest, read_only=False, timeout_s=10)
            read = await steps.standing(conn, number)
            assert scope is not None
            assert read is not None
            caller = Caller(scope.person_id, scope.abilities)
            asked = Asked(what, "", "why")
            acts.append((await steps.take(conn, number, read, caller, asked, four_eyes=True)).act)
    await violations.write(conn, [replace(facts, fixes=facts.fixes + 1)])
    left = await rows(
        conn,
        "SELECT review, review_number, revised_under_review, version FROM violations WHERE id = %s",
        number,
    )
    return [*acts], left


async def looked_at_twice(conn, vehicle: int, times: list[int]) -> None:
    """Store two violations for each instant: one that is acknowledged, and one that is appealed."""
    await conn.execute(
        "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at,"
        " duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,"
        " status, review) SELECT 'speeding', r, 'p', %s, to_timestamp(t / 1e6),"
        " to_timestamp(t / 1e6), 0, 0, 1, 0, 0, 0, 0, '{}', 'final', r"
        " FROM unnest(%s::bigint[]) t, unnest(%s::text[]) r",
        [vehicle, times, ["new", "appealed"]],
    )
    await conn.execute(
        "INSERT INTO violation_versions (violation_id, version, facts, superseded_by, reason)"
        " SELECT id, 1, '{}', 'worker', 'late data' FROM violations WHERE vehicle_id = %s",
        [vehicle],
    )
    await conn.execute(
        "INSERT INTO violation_attachments (violation_id, name, type, bytes, sha256, content,"
        " actor, role) SELECT id, 'a', 'text/plain', 1, sha256('a'), 'a', '', 'operator'"
        " FROM violations WHERE vehicle_id = %s",
        [vehicle],
    )
    await conn.execute(
        "INSERT INTO violation_reviews (violation_id, number, act, step, from_state, to_state,"
        " version, actor, role) SELECT id, 2, 'taken', 'acknowledge', review, 'acknowledged',"
        " version, '', 'operator' FROM violations WHERE vehicle_id = %s AND review = 'new'",
        [vehicle],
    )
