"""What a flood of bad messages from one sender costs, and the search for an erased driver in it.

    python -m benchmarks.quarantine [--messages 1000000] [--json]

Batches of 4,096 different messages of 200 bytes go through `storage.quarantine.insert`, each in a
transaction, with the limits that are set unless told otherwise. The baseline keeps all of them.
The search is of as many messages of 192 bytes, for a licence and a card, which none of them names.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres
from storage import forgetting, quarantine
from storage.database import connect
from storage.migrations import upgrade
from storage.quarantine import DEFAULT_LIMITS, Quarantined
from storage.quarantine_limits import NO_LIMITS, Limits

BATCH = 4096
T0 = 1_777_881_600_000_000


def batch_of(start):
    filler = os.urandom(190)
    return [
        Quarantined(
            "gsht/v1/teltonika/352093081429150", b"%010d" % number + filler, T0 + number,
            "bad_checksum", 5, "expected 0x1d0f, found 0xffff", "352093081429150",
            "352093081429150",
        )
        for number in range(start, start + BATCH)
    ]  # fmt: skip


async def flood(dsn, messages, limits: Limits):
    took, cpu = [], []
    async with await connect(dsn, name="benchmark") as conn:
        for start in range(0, messages, BATCH):
            batch = batch_of(start)
            started, cpu_before = time.perf_counter(), time.process_time()
            async with conn.transaction():
                await quarantine.insert(conn, batch, limits)
            took.append(time.perf_counter() - started)
            cpu.append(time.process_time() - cpu_before)
        size = await (
            await conn.execute(
                "SELECT pg_total_relation_size('quarantine')"
                " + pg_total_relation_size('quarantine_counts')"
            )
        ).fetchone()
        [group] = await quarantine.groups(conn)
        await conn.execute("TRUNCATE quarantine, quarantine_counts")
    assert size is not None
    assert group.messages == len(took) * BATCH
    return {
        "messages": group.messages,
        "kept": group.kept,
        "ms_per_batch": round(statistics.median(took) * 1e3, 1),
        "cpu_ms_per_batch": round(statistics.median(cpu) * 1e3, 1),
        "messages_per_s": round(group.messages / sum(took)),
        "disk_mb": round(size[0] / 1e6, 1),
    }


FILL = """
INSERT INTO quarantine (received, topic, payload, payload_bytes, reason, sender, digest, last_seen)
SELECT now(), 'gsht/v1/gt06/x', decode(repeat(encode(n.digest, 'hex'), 6), 'hex'), 192,
       'bad_checksum', 'x', n.digest, now()
FROM (SELECT sha256(n::text::bytea) AS digest FROM generate_series(1, %s) n) n
"""
ASK = """
WITH d AS (INSERT INTO drivers (licence) VALUES ('erased') RETURNING id)
INSERT INTO erased_names (driver_id, names) SELECT id, %s FROM d
"""


async def search(dsn, messages):
    async with await connect(dsn, name="benchmark") as conn:
        await conn.set_autocommit(True)
        await conn.execute(FILL, [messages])
        await conn.execute("VACUUM ANALYZE quarantine")
        await conn.execute(ASK, [["790123456789", "0a1b2c3d4e5f6071"]])
        server = psutil.Process(conn.info.backend_pid)
        started, before = time.perf_counter(), server.cpu_times()
        assert await forgetting.forget(conn, "here") == 0
        took, after = time.perf_counter() - started, server.cpu_times()
        await conn.execute("TRUNCATE quarantine")
    cpu = after.user + after.system - before.user - before.system
    steps = -(-messages // forgetting.SEARCH_ROWS)
    return {
        "messages": messages,
        "steps": steps,
        "seconds": round(took, 2),
        "server_cpu_s": round(cpu, 2),
        "server_cpu_ms_per_step": round(1e3 * cpu / steps),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if asked.quick:
        asked.messages = 20 * BATCH
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-bench-")))
    with EmbeddedPostgres(folder) as database:
        upgrade(database.dsn)
        found = {
            "limited": asyncio.run(flood(database.dsn, asked.messages, DEFAULT_LIMITS)),
            "everything kept": asyncio.run(
                flood(database.dsn, min(asked.messages, 50 * BATCH), NO_LIMITS)
            ),
            "search": asyncio.run(search(database.dsn, asked.messages)),
        }
    folder.remove()
    print(json.dumps(found) if asked.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
