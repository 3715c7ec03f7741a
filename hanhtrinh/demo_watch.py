"""What the demo shows: counts and lag, read from the database, and their picture."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from psycopg import AsyncConnection
from rich.table import Table

from simulators.truth import KINDS

COUNTS: Final = """
SELECT (SELECT count(*) FROM fixes),
       (SELECT count(*) FROM weighings),
       (SELECT count(*) FROM quarantine)
"""

VIOLATIONS: Final = """
SELECT kind, count(*) FROM violations WHERE status <> 'withdrawn' GROUP BY kind
"""

# PostgreSQL keeps the time of each commit (track_commit_timestamp): the lag of a row is exact.
LAG: Final = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
           ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - time) * 1000
       )
FROM fixes WHERE time >= to_timestamp(%(since_s)s)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of the database at one moment. Lags are of live fixes; None: there were none."""

    at_s: float
    fixes: int = 0
    weighings: int = 0
    quarantined: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    lag_ms_p50: float | None = None
    lag_ms_p99: float | None = None


class Watch:
    """Looks at the database of the demo."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def look(self, live_since_us: int | None) -> Seen:
        """Count everything; measure the lag of the fixes taken since then."""
        counts = await (await self._conn.execute(COUNTS)).fetchone()
        assert counts is not None
        kinds: list[tuple[str, int]] = await (await self._conn.execute(VIOLATIONS)).fetchall()
        p50, p99 = await self._lag(live_since_us)
        fixes, weighings, quarantined = counts
        violations = Counter(dict(kinds))
        return Seen(time.monotonic(), fixes, weighings, quarantined, violations, p50, p99)

    async def fixes(self) -> int:
        row = await (await self._conn.execute("SELECT count(*) FROM fixes")).fetchone()
        assert row is not None
        return int(row[0])

    async def _lag(self, since_us: int | None) -> tuple[float | None, float | None]:
        if since_us is None:
            return None, None
        row = await (await self._conn.execute(LAG, {"since_s": since_us / 1e6})).fetchone()
        if row is None or row[0] is None:
            return None, None
        p50, p99 = row[0]
        return round(p50, 1), round(p99, 1)


def picture(seen: Seen, before: Seen | None, planned: Counter[str]) -> Table:
    """The live summary."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    rate = ""
    if before is not None and seen.at_s > before.at_s:
        rate = f"{(seen.fixes - before.fixes) / (seen.at_s - before.at_s):,.0f}/s"
    table.add_row("fixes", f"{seen.fixes:,}", rate)
    table.add_row("weighings", f"{seen.weighings:,}")
    if seen.quarantined:
        table.add_row("quarantined", f"{seen.quarantined:,}")
    table.add_row("lag, measurement to commit", *_lag_text(seen))
    table.add_row("violations", f"{seen.violations.total():,}", "found / planned so far")
    # What takes hours is neither planned nor found here: its rows would fill the screen.
    for kind in (kind for kind in KINDS if seen.violations[kind] or planned[kind]):
        table.add_row(f"  {kind}", f"{seen.violations[kind]:,}", f"/ {planned[kind]:,}")
    for kind in sorted(seen.violations.keys() - set(KINDS)):
        table.add_row(f"  {kind}", f"{seen.violations[kind]:,}", "/ 0")
    return table


def _lag_text(seen: Seen) -> tuple[str, str]:
    if seen.lag_ms_p50 is None or seen.lag_ms_p99 is None:
        return "-", "catching up with what the trackers had stored"
    return f"{seen.lag_ms_p50:,.0f} ms", f"median; 99 % within {seen.lag_ms_p99:,.0f} ms"


def line(seen: Seen) -> str:
    """The same in one line, for output that is no terminal."""
    lag = "-" if seen.lag_ms_p50 is None else f"{seen.lag_ms_p50:.0f} ms"
    return (
        f"{seen.fixes:,} fixes, {seen.weighings:,} weighings, "
        f"{seen.violations.total():,} violations, lag {lag}"
    )
