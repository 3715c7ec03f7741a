"""A vehicle's rate of violations in a month."""

import pytest

from api.options import ApiOptions
from storage import violations
from tests.api.server import Client, running
from tests.api.world import HOUR, T0, do, interval

pytestmark = pytest.mark.integration

MAY = {"month": "2026-05"}


def test_the_rate_of_a_month_counts_what_statistics_count(own_api):
    n1 = own_api.world.n1
    bands = ["5_10", "35_up", "under_5", "10_20", "20_35"]
    found = [
        interval("speeding", n1, T0 + k * HOUR, T0 + k * HOUR + 1, band=band)
        for k, band in enumerate(bands)
    ]
    other = interval("speeding", n1, T0 - 24 * 31 * HOUR, T0 - 24 * 31 * HOUR + 1, band="5_10")

    async def work(conn):
        await conn.execute("DELETE FROM violations WHERE kind = 'speeding'")
        await violations.write(conn, [*found, other])

    do(own_api.world.dsn, work)
    shown = own_api.inspector.get(f"/vehicles/{n1}/rate", **MAY)
    assert (shown["counted"], shown["rate"], shown["is_due"]) == (4, 4, False)
    assert 30_000 < shown["distance_m"] < 40_000
    # Another mass is another registration of the same vehicle, and the same badge's.
    facts = {"plate": "51B12345", "operator": "north", "gross_kg": 18_000}
    heavier = own_api.inspector.ask("PUT", f"/vehicles/{n1}", json=facts).json()
    again = own_api.inspector.get(f"/vehicles/{heavier['id']}/rate", **MAY)
    assert {**again, "vehicle_id": n1} == shown
    nothing = own_api.inspector.get(f"/vehicles/{n1}/rate", month="2026-06")
    assert (nothing["counted"], nothing["distance_m"], nothing["rate"]) == (0, 0, 0)


def test_a_month_of_too_many_fixes_is_refused(own_api):
    world = own_api.world
    with running(world.dsn, ApiOptions(most_track_fixes=100)) as (app, base):
        client = Client(app, base, world.inspector)
        answer = client.problem("GET", f"/vehicles/{world.n1}/rate", params=MAY)
        assert answer == (422, "window_too_long")
        client.http.close()
