"""What was found of some plates, as the database has it."""

from dataclasses import replace

import pytest

from storage import scoring, violations
from tests.storage.connected import connected, rows
from tests.storage.test_revisions import BASE
from tests.storage.test_violations import peopled, reconcile

pytestmark = pytest.mark.integration

__all__ = ["peopled"]


def test_violations_of_plates_are_found_where_they_meet_the_span(peopled):
    entry = replace(BASE, kind="zone_entry", subject="Z", started=300, ended=300)
    other = replace(BASE, vehicle=2)

    async def work(conn):
        await violations.write(conn, [BASE, entry, other])
        ((seen,),) = await rows(
            conn,
            "SELECT DISTINCT (extract(epoch FROM first_seen_at) * 1e6)::bigint FROM violations",
        )
        first = ("speeding", "29C00001", "", 100, 200, seen)
        second = ("zone_entry", "29C00001", "Z", 300, 300, seen)
        third = ("speeding", "29C00002", "", 100, 200, seen)
        both = ["29C00001", "29C00002"]
        assert await scoring.violations_of(conn, both, 0) == [first, third, second]
        assert await scoring.violations_of(conn, both[:1], 0) == [first, second]
        assert await scoring.violations_of(conn, both, 200, 299) == [first, third]
        assert await scoring.violations_of(conn, both, 201) == [second]
        assert await scoring.violations_of(conn, both, 0, 99) == []
        assert await scoring.violations_of(conn, ["30A00001"], 0) == []

    connected(peopled, work)


def test_what_was_withdrawn_is_not_found_and_what_was_revised_keeps_its_first_sight(peopled):
    async def work(conn):
        gone = replace(BASE, started=400, ended=500)
        await violations.write(conn, [BASE, gone])
        (before, _) = await scoring.violations_of(conn, ["29C00001"], 0)
        await reconcile(conn, [replace(BASE, ended=210)])
        (after,) = await scoring.violations_of(conn, ["29C00001"], 0)
        assert after == before._replace(ended=210)

    connected(peopled, work)
