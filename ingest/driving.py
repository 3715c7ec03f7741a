"""Live driving time: spans of the vehicles of a batch, and what they come to for their drivers.

A driver's hours lie in several vehicles, perhaps of several workers, so what they come to is judged
from the stored spans, under a lock, in the transaction that changes them. What is kept in memory
says only what need not be looked at again: losing it costs a look.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32
from geofence.driving_time import DrivingTime, subject_of
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.registry import BEGINNING_US
from geofence.rulebook import Rulebook
from geofence.rules.driving import KIND
from ingest.judging import Judgement
from storage import driving as driving_table
from storage import violations as violation_table
from storage.driving import Subject, storable

RECHECK_US: Final = 900_000_000
"""A driver whose span goes on is looked at again after a quarter of an hour at the latest: another
worker may have learnt of hours in another vehicle. Each after his own part of it, half of it at
least: whoever set out together, as all do for a worker that starts, is not looked at together."""

_SCATTER: Final = 2_654_435_769
"""2**32 by the golden ratio: multiples of it, modulo 2**32, lie evenly apart."""

REASON: Final = "driving time changed"


class LiveDriving:
    """Writes the spans of a batch and judges the drivers whose result can have changed."""

    def __init__(self, rulebook: Rulebook, judge: Judge) -> None:
        """judge: who finds the spans; it is told which of them need not be reported."""
        self._judge = judge
        self._time = DrivingTime(rulebook)
        self._written: dict[int, Interval] = {}  # by vehicle: its open span as it is stored
        self._quiet_until: dict[Subject, int] = {}
        # Of the last transaction, which may yet fail: whom it judged, and the vehicles they are in.
        self._judged: list[Subject] = []
        self._quiet: list[int] = []

    def forget(self, vehicles: I32) -> None:
        """Trust nothing in memory about these vehicles: their transaction was not committed."""
        for vehicle in vehicles.tolist():
            self._written.pop(vehicle, None)
        for subject in self._judged:
            self._quiet_until.pop(subject, None)
        self._judge.be_quiet_on_driving(
            np.array(self._quiet, np.int32), np.full(len(self._quiet), BEGINNING_US)
        )
        self._judged, self._quiet = [], []

    def hand_over(self, vehicles: I32) -> None:
        """Trust nothing in memory about the spans of these vehicles: another worker wrote them.

        The judge has forgotten them, too, and so reports their next span whatever it is.
        """
        for vehicle in vehicles.tolist():
            self._written.pop(vehicle, None)

    async def take(self, conn: AsyncConnection, judgement: Judgement) -> list[Interval]:
        """Store what the batch says of driving; returns the driving times that were judged.

        To be called when the vehicles' latest positions are written. If the transaction then
        fails, call `forget`.
        """
        self._judged, self._quiet = [], []
        replayed = set(judgement.replayed.tolist())
        spans = [span for span in judgement.intervals if span.kind == KIND]
        again = [span for span in spans if span.vehicle in replayed]
        kept = (storable(span) for span in spans if span.vehicle not in replayed)
        went_on = [span for span in kept if self._is_news(span)]
        await driving_table.write(conn, went_on)
        changed = [span for span in went_on if not self._only_went_on(span)]
        if replayed:
            # What ends an open one may have changed without its row.
            changed += [span for span in again if span.is_open]
            pending = [key for key in judgement.pending if key[0] == KIND]
            changed += await driving_table.reconcile(
                conn, judgement.replayed, judgement.settled_until, pending, again
            )
            for vehicle in replayed:
                self._written.pop(vehicle, None)
        for span in (*again, *went_on):
            if span.is_open:
                self._written[span.vehicle] = storable(span)
            else:
                self._written.pop(span.vehicle, None)
        return await self._evaluate(conn, self._affected(changed, spans))

    def _is_news(self, span: Interval) -> bool:
        """Whether the span, as it is to be stored, differs from what is."""
        return not span.is_open or self._written.get(span.vehicle) != span

    def _only_went_on(self, span: Interval) -> bool:
        """Whether it is an open span that was known: it came to stand, or drives on.

        When it was looked at, both were foreseen.
        """
        known = self._written.get(span.vehicle)
        return span.is_open and known is not None and known.started == span.started

    def _affected(
        self, changed: Iterable[Interval], spans: Iterable[Interval]
    ) -> dict[Subject, int]:
        """Whose result can have changed, and the start of the earliest span that makes it so."""
        since: dict[Subject, int] = {}
        due = (
            span
            for span in spans
            if span.is_open and span.ended >= self._quiet_until.get(subject_of(span), 0)
        )
        for span in (*changed, *due):
            subject = subject_of(span)
            since[subject] = min(span.started, since.get(subject, span.started))
        return since

    async def _evaluate(self, conn: AsyncConnection, since: dict[Subject, int]) -> list[Interval]:
        """Judge these subjects by their stored spans, and store what has changed."""
        if not since:
            return []
        await driving_table.lock_drivers(conn, [driver for driver, _ in since if driver >= 0])
        windows = {s: self._time.window_from(started) for s, started in since.items()}
        spans = await self._spans(conn, windows)
        found: list[Interval] = []
        quiet: dict[int, int] = {}
        for subject, own in spans.items():
            judged = self._time.judge(own)
            found += judged.intervals
            going_on = [span for span in own if span.is_open]
            until = judged.quiet_until
            if going_on and subject[0] >= 0:
                until = min(until, max(span.ended for span in going_on) + _recheck_us(subject[0]))
            self._quiet_until[subject] = until
            quiet.update((span.vehicle, until) for span in going_on)
        self._judged = list(spans)
        self._be_quiet(quiet)
        await violation_table.reconcile_driving(conn, windows, found, REASON)
        return found

    def _be_quiet(self, until: Mapping[int, int]) -> None:
        """until: by vehicle."""
        self._quiet = list(until)
        self._judge.be_quiet_on_driving(
            np.array(self._quiet, np.int32), np.array(list(until.values()), np.int64)
        )

    async def _spans(
        self, conn: AsyncConnection, windows: dict[Subject, int]
    ) -> dict[Subject, list[Interval]]:
        """The subjects' spans of whole weeks; windows are moved back to where driving began."""
        found: dict[Subject, list[Interval]] = {}
        missing = dict(windows)
        while missing:
            read = await driving_table.spans_since(conn, missing)
            found |= read
            missing = {}
            for subject, own in read.items():
                begins = windows[subject]
                if own and self._time.window_from(min(s.started for s in own)) < begins:
                    # What comes first may go on from before the window.
                    windows[subject] = missing[subject] = self._time.window_from(begins - 1)
        return found


def _recheck_us(driver: int) -> int:
    """After how long a driver is looked at again: from a half of RECHECK_US to all of it."""
    return RECHECK_US - (driver * _SCATTER % 2**32 * RECHECK_US >> 33)
