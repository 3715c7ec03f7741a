"""Judging again what is stored: when rules that hold for the past have changed, or a map was wrong.

Live judging judges again what late fixes concern, and no more: a zone that is registered with dates
in the past is seen by fixes to come only. Here everything from an instant on is judged by today's
rules. What changes becomes a new version, with the reason; nothing is deleted.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32
from ingest.pipeline import Pipeline
from storage import progress as progress_table

AT_ONCE = 5
"""Vehicles of one transaction. Workers wait for it, and all their fixes since then are in memory: a
month of one takes some 30 MB."""


@dataclass(slots=True)
class Rejudged:
    """How many vehicles were judged again, and what became of their violations, by kind."""

    vehicles: int = 0
    inserted: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    revised: Counter[str] = field(default_factory=Counter)
    withdrawn: Counter[str] = field(default_factory=Counter)


async def rejudge(
    conn: AsyncConnection,
    pipeline: Pipeline,
    since_us: int,
    reason: str,
    *,
    vehicles: I32 | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Rejudged:
    """Judge again from an instant on; vehicles: None for all. `pipeline.refresh` was called before.

    A few vehicles at a time, each lot in a transaction of its own: what is done stays done when
    the rest is stopped, and doing it again changes nothing.
    """
    concerned = await progress_table.judged_since(conn, since_us)
    if vehicles is not None:
        concerned = np.intersect1d(concerned, vehicles)
    done = Rejudged()
    for begin in range(0, len(concerned), AT_ONCE):
        lot = concerned[begin : begin + AT_ONCE]
        changes = await pipeline.rejudge(conn, lot, since_us, reason)
        done.vehicles += len(lot)
        done.inserted.update(changes.inserted)
        done.updated.update(changes.updated)
        done.revised.update(changes.revised)
        done.withdrawn.update(changes.withdrawn)
        progress(done.vehicles, len(concerned))
    return done
