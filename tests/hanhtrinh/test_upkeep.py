import asyncio
import json

import httpx
import psycopg
import pytest

from hanhtrinh import upkeep
from hanhtrinh.settings import load
from hanhtrinh.upkeep_metrics import UpkeepMetrics
from tests.hanhtrinh.command import hanhtrinh
from tests.hanhtrinh.instruments import on_a_port

pytestmark = pytest.mark.integration


def test_a_round_says_what_it_did(database):
    done = hanhtrinh("upkeep", settings={"HANHTRINH_DATABASE__DSN": database})
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout).values()) == {0}


def samples(metrics: UpkeepMetrics) -> dict[str, float]:
    """What Prometheus reads, by name and labels."""
    with on_a_port(metrics.registry) as url:
        lines = httpx.get(url, trust_env=False).text.splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_rounds_are_counted_whether_they_are_done_left_out_or_fail(database):
    async def held_up(settings, metrics):
        from storage.database import connect
        from storage.upkeep import LOCK_KEY

        async with await connect(database, name="test") as conn:
            await conn.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
            await conn.execute("INSERT INTO fix_hours_changed VALUES (1, now()), (2, now())")
            await upkeep.counted(settings, metrics)

    reviewed = (("confirmed", True), ("confirmed", False), ("acknowledged", True),
                ("acknowledged", True), ("new", False))  # fmt: skip
    with psycopg.connect(database) as conn:
        conn.execute("INSERT INTO operators (code, name) VALUES ('n', 'N')")
        conn.execute(
            "INSERT INTO vehicles (plate, operator_id, class, kind, valid_from, valid_to)"
            " VALUES ('51B12345', 1, 'car', 'car', '-infinity', 'infinity')"
        )
        for at, (review, is_flagged) in enumerate(reviewed):
            conn.execute(
                "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at,"
                " ended_at, duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat,"
                " details, status, review, revised_under_review) SELECT 'speeding', '', 'p', 1,"
                " now() + %s * interval '1 s', now(), 0, 0, 1, 0, 0, 0, 0, '{}', 'revised', %s, %s",
                [at, review, is_flagged],
            )
    metrics = UpkeepMetrics()
    settings = load(None, environment={"HANHTRINH_DATABASE__DSN": database}).settings
    nowhere = {"HANHTRINH_DATABASE__DSN": "postgresql://127.0.0.1:1/none"}
    asyncio.run(upkeep.counted(settings, metrics))
    asyncio.run(held_up(settings, metrics))
    asyncio.run(upkeep.counted(load(None, environment=nowhere).settings, metrics))
    found = samples(metrics)
    for outcome in ("done", "left_out", "failed"):
        assert found[f'hanhtrinh_upkeep_rounds_total{{outcome="{outcome}"}}'] == 1
    assert found["hanhtrinh_upkeep_waiting_hours"] == 2
    assert found["hanhtrinh_upkeep_round_seconds_count"] == 1
    assert found['hanhtrinh_upkeep_work_total{what="chunks_dropped"}'] == 0
    assert found["hanhtrinh_upkeep_last_done_timestamp_seconds"] > 1_700_000_000
    # Of three whose facts were revised, one was confirmed; one of those reviewed was not revised.
    assert found['hanhtrinh_flagged_reviews{review="confirmed"}'] == 1
    assert found['hanhtrinh_flagged_reviews{review="acknowledged"}'] == 2
    assert found['hanhtrinh_flagged_reviews{review="excused"}'] == 0
