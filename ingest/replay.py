"""Replay: publish recorded positions over MQTT as if the vehicles sent them.

Each row of a CSV or Parquet file becomes one message of our JSON format under
`gsht/v1/json/{vehicle}`, at QoS 1, with every acknowledgement awaited. Belongs here: order, pace
and counts. Does not belong here: reading the file (replay_rows.py).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import numpy as np

from devices.batch import I64, FixBatch
from devices.catalogue import codec
from ingest.errors import ReplayError
from ingest.replay_columns import ColumnMap
from ingest.replay_rows import BadRow, Rows, read_rows
from mqtt.errors import MqttError
from mqtt.options import BrokerOptions
from mqtt.publisher import Publisher, Sent

TOPIC: Final = "gsht/v1/json/"
"""And the vehicle behind it."""

PATIENCE_S: Final = 60.0
"""How long the broker may acknowledge nothing."""

BAD_KEPT: Final = 1000
"""So many bad rows are in the report; all are counted and passed to `on_bad`."""

BEAT_S: Final = 0.02
"""Rows that are due within one beat of a timed replay are sent together."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay, how fast, and to which broker.

    speedup: 1 is real time, 60 an hour a minute; None: as fast as the broker takes it, reading
    the file in batches. A timed replay reads the whole file first, to put vehicles side by side.
    """

    file: Path
    columns: ColumnMap
    broker: BrokerOptions = field(default_factory=BrokerOptions)
    speedup: float | None = None


@dataclass(slots=True)
class ReplayReport:
    """What was published and acknowledged, by vehicle, and what was not fit to be published."""

    published: Counter[str] = field(default_factory=Counter)
    bad_rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def messages(self) -> int:
        return self.published.total()


@dataclass(frozen=True, slots=True)
class _Due:
    """Messages to send at once, `after_s` the start of the replay."""

    after_s: float
    vehicles: list[str]
    payloads: list[bytes]


async def replay(
    options: ReplayOptions,
    on_progress: Callable[[ReplayReport], None] = lambda _: None,
    on_bad: Callable[[BadRow], None] = lambda _: None,
) -> ReplayReport:
    """Publish the file. Raises ReplayError for the file, its columns, or the broker.

    A vehicle's rows are sent in the file's order, bad ones left out.
    """
    if options.speedup is not None and not options.speedup > 0:
        raise ReplayError(f"speedup: expected a number over 0 or max, got {options.speedup}")
    report = ReplayReport()

    def note(rows: Rows) -> None:
        report.bad_rows += len(rows.bad)
        report.bad.extend(rows.bad[: BAD_KEPT - len(report.bad)])
        for bad in rows.bad:
            on_bad(bad)

    plan = _as_read(options, note) if options.speedup is None else _timed(options, note)
    first = next(plan, None)  # what is wrong with the file is said before a broker is asked
    begun = time.monotonic()
    try:
        async with _publisher(options, report) as publisher:
            for due in plan if first is None else chain([first], plan):
                await asyncio.sleep(max(due.after_s - (time.monotonic() - begun), 0.0))
                topics = (TOPIC + vehicle for vehicle in due.vehicles)
                await publisher.send(zip(topics, due.payloads, strict=True))
                report.seconds = time.monotonic() - begun
                on_progress(report)
    except MqttError as error:
        raise ReplayError(f"{error} (after {report.messages} acknowledged messages)") from error
    return report


def _publisher(options: ReplayOptions, report: ReplayReport) -> Publisher:
    """Counts what is acknowledged, and is refused what nobody has subscribed to."""

    def note(sent: Sent) -> None:
        report.published[sent.topic.removeprefix(TOPIC)] += 1

    return Publisher(
        options.broker, needs_subscribers=True, patience_s=PATIENCE_S, acknowledged=note
    )


def _as_read(options: ReplayOptions, note: Callable[[Rows], None]) -> Iterator[_Due]:
    """Everything at once, in the file's order, a batch of rows at a time."""
    for rows in read_rows(options.file, options.columns):
        note(rows)
        yield _Due(0.0, rows.vehicles, _encode(rows.fixes, rows.drivers))


def _timed(options: ReplayOptions, note: Callable[[Rows], None]) -> Iterator[_Due]:
    """The rows in the order of their times; a late row goes with the one it follows."""
    assert options.speedup is not None
    fixes, vehicles, drivers = _read_all(options, note)
    if not len(fixes):
        return
    due = running_latest(vehicles, fixes.time)
    order = np.argsort(due, kind="stable")
    after_s = (due[order] - due[order[0]]) / 1e6 / options.speedup
    beats = np.floor(after_s / BEAT_S)
    starts = np.flatnonzero(np.diff(beats, prepend=-1.0))
    for first, end in pairwise([*starts.tolist(), len(order)]):
        rows = order[first:end]
        payloads = _encode(fixes.take(rows), drivers)
        yield _Due(float(after_s[first]), [vehicles[row] for row in rows.tolist()], payloads)


def _read_all(
    options: ReplayOptions, note: Callable[[Rows], None]
) -> tuple[FixBatch, list[str], tuple[str, ...]]:
    """All rows of the file, with one numbering of drivers."""
    parts: list[FixBatch] = []
    vehicles: list[str] = []
    drivers: dict[str, int] = {}
    for rows in read_rows(options.file, options.columns):
        note(rows)
        numbers = [drivers.setdefault(name, len(drivers)) for name in rows.drivers]
        driver = np.array([*numbers, -1], np.int32)[rows.fixes.driver]  # -1 picks the last
        parts.append(rows.fixes.with_columns(driver=driver))
        vehicles += rows.vehicles
    return FixBatch.concat(parts), vehicles, tuple(drivers)


def running_latest(vehicles: Sequence[str], times: I64) -> I64:
    """For each row the latest time of its vehicle so far: sent by it, no row overtakes another."""
    number = {name: n for n, name in enumerate(dict.fromkeys(vehicles))}
    whose = np.array([number[name] for name in vehicles], np.int64)
    by_vehicle = np.argsort(whose, kind="stable")
    # One ascending sequence for all vehicles: each one's times lie above those of the one before.
    # By rank: decades of microseconds times thousands of vehicles are more than 64 bits hold.
    instants, rank = np.unique(times, return_inverse=True)
    lift = whose[by_vehicle] * len(instants)
    latest = np.empty(len(times), np.int64)
    latest[by_vehicle] = instants[np.maximum.accumulate(rank[by_vehicle] + lift) - lift]
    return latest


def _encode(fixes: FixBatch, drivers: Sequence[str]) -> list[bytes]:
    encode = codec("json").encode
    assert encode is not None
    return encode(fixes, [""] * len(fixes), drivers)
