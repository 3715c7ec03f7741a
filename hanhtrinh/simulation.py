"""Simulating on the servers of the settings, and scoring what they found against the truth.

Belongs here: what joins simulators, database and settings. The simulators know of neither.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from psycopg import AsyncConnection

from analytics.timetable import NOT_RUN
from geofence.profile import shipped_profile
from geofence.registry import END_US
from geofence.rulebook import Rulebook
from hanhtrinh import wiring
from hanhtrinh.errors import CommandError
from hanhtrinh.fleet_registry import register_fleet
from hanhtrinh.serving import stopped_by_signals
from hanhtrinh.settings import Settings
from hanhtrinh.unrun_slots import unrun_slots
from simulators.fleet import Fleet
from simulators.scoring import ARRIVAL_KINDS, ARRIVES_WITHIN_US, Score, Violation, score
from simulators.simulate import Progress, SimulateOptions, SimulateReport, simulate
from simulators.truth_file import Header, Truth, micros, read_truth
from storage import database, scoring
from storage.errors import AlreadyThereError

NAME = "hanhtrinh simulate"

TAKEN_UP_S: Final = 2.0
"""How soon a worker that runs knows the registry of now: it looks once a second, and loads it."""

NOISE_S: Final = 1.0
"""How much later or earlier than by its true place a receiver's noise lets a vehicle be seen."""


async def run_simulation(
    settings: Settings,
    options: SimulateOptions,
    on_progress: Callable[[Progress], None],
    *,
    registers: bool,
) -> SimulateReport:
    """Drive the fleet until its time is over or a signal comes; registers: before it sets out."""
    if registers:
        wiring.require_schema(settings)

    async def register(fleet: Fleet) -> None:
        async with await database.connect(wiring.dsn(settings), name=NAME) as conn:
            try:
                await register_fleet(conn, fleet)
            except AlreadyThereError as error:
                raise CommandError(
                    f"--register: {error}: what is registered drives without --register"
                ) from error
        await asyncio.sleep(TAKEN_UP_S)

    stop = asyncio.Event()
    with stopped_by_signals(stop):
        return await simulate(options, on_progress, stop, register if registers else None)


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, and the truth that it is of."""

    header: Header
    slack_s: float
    score: Score


async def score_truth(settings: Settings, file: Path, slack_s: float | None) -> Scored:
    """Compare a truth file with the database.

    slack_s: None: the fleet's sampling interval, and a second for the receivers' noise.
    """
    truth = read_truth(file)
    wiring.require_schema(settings)
    rulebook = Rulebook.build(wiring.profiles(settings), (), (), (), settings.judge.timezone)
    async with await database.connect(wiring.dsn(settings), name="hanhtrinh score") as conn:
        return await score_against(conn, truth, slack_s, rulebook)


async def score_against(
    conn: AsyncConnection, truth: Truth, slack_s: float | None, rulebook: Rulebook | None = None
) -> Scored:
    """Compare a truth with what a database holds, as `score_truth` does.

    rulebook: its profiles and its timezone are what timetables are compared by; None: those that
    are shipped.
    """
    header = truth.header
    slack_s = header.interval_s + NOISE_S if slack_s is None else slack_s
    slack_us = round(slack_s * 1e6)
    since, until = micros(header.started_at) - slack_us, END_US
    if header.ended_at is not None:
        until = micros(header.ended_at) + slack_us
    rows = await scoring.violations_of(conn, header.fleet, since, until)
    if until != END_US:
        later = await scoring.violations_of(
            conn, header.fleet, until + 1, until + ARRIVES_WITHIN_US
        )
        rows += [row for row in later if row.kind in ARRIVAL_KINDS and row.started > until]
    planned = [
        Violation(p.kind, p.vehicle, p.subject, micros(p.started_at), micros(p.ended_at))
        for p in truth.planned
    ]
    found = [_visible(Violation(*row), header) for row in rows]
    if header.timetables:
        found += await _unrun(conn, truth, rulebook)
    return Scored(header, slack_s, score(planned, found, slack_us))


def _visible(violation: Violation, header: Header) -> Violation:
    """A violation of the past that was sent is as old as that when it is first seen."""
    if header.live_at is None or violation.ended >= micros(header.live_at):
        return violation
    return replace(violation, seen=None)


async def _unrun(conn: AsyncConnection, truth: Truth, rulebook: Rulebook | None) -> list[Violation]:
    """The slots that nobody ran; of a run that was killed, up to the last of which it was known."""
    header = truth.header
    rulebook = rulebook or Rulebook.build([shipped_profile()], (), (), ())
    since = micros(header.started_at)
    if header.ended_at is not None:
        return await unrun_slots(
            conn, header.timetables, rulebook, (since, micros(header.ended_at))
        )
    found = await unrun_slots(conn, header.timetables, rulebook, (since, wiring.clock()))
    last = max((micros(p.ended_at) for p in truth.planned if p.kind == NOT_RUN), default=since)
    return [each for each in found if each.ended <= last]
