"""Rounds of upkeep: one when asked, or one after the other until told to stop."""

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import fields

import psycopg
import structlog

from hanhtrinh import wiring
from hanhtrinh.serving import served, stopped_by_signals
from hanhtrinh.settings import Settings
from hanhtrinh.upkeep_metrics import UpkeepMetrics
from storage import database, upkeep
from storage.reading.violations import Review
from storage.reviews import steps

log = structlog.get_logger()


async def one_round(settings: Settings) -> upkeep.Round | None:
    """What the round did; None: another process is at one."""
    days = settings.upkeep.model_dump()
    keeping = upkeep.Keeping(**{field.name: days[field.name] for field in fields(upkeep.Keeping)})
    async with await database.connect(wiring.dsn(settings), name="hanhtrinh upkeep") as conn:
        zone = settings.judge.timezone
        return await upkeep.keep(conn, keeping, wiring.clock(), socket.gethostname(), zone)


async def flagged(settings: Settings) -> dict[Review, int]:
    """How many violations wait for somebody because late data revised what was reviewed."""
    async with await database.connect(wiring.dsn(settings), name="hanhtrinh upkeep") as conn:
        return await steps.flagged(conn)


async def rounds(settings: Settings, every_s: float) -> None:
    """A round every so often until a signal; one that the database stops is tried again then."""
    stop = asyncio.Event()
    metrics = UpkeepMetrics()
    with (
        served(metrics.registry, settings.upkeep.metrics_port),
        stopped_by_signals(stop),
    ):
        while not stop.is_set():
            await counted(settings, metrics)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)


async def counted(settings: Settings, metrics: UpkeepMetrics) -> None:
    """One round, told of in the log and in the metrics, whatever became of it."""
    began = time.monotonic()
    try:
        done = await one_round(settings)
        metrics.flagged = await flagged(settings)
    except psycopg.Error as error:
        metrics.rounds["failed"] += 1
        log.warning("upkeep.failed", detail=str(error).strip())
    else:
        metrics.take(done, wiring.clock() / 1e6, time.monotonic() - began)
        if done is None:
            log.info("upkeep.left_out")
        else:
            log.info("upkeep.done", **done._asdict())
    with suppress(psycopg.Error):  # the next round says it
        await _look(settings, metrics)


async def _look(settings: Settings, metrics: UpkeepMetrics) -> None:
    async with await database.connect(wiring.dsn(settings), name="hanhtrinh upkeep") as conn:
        metrics.waiting_hours = await upkeep.waiting(conn)
        metrics.unregistered = await upkeep.unregistered(conn)
