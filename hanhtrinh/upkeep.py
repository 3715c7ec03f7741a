"""Rounds of upkeep: one when asked, or one after the other until told to stop."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import fields

import psycopg
import structlog

from hanhtrinh import wiring
from hanhtrinh.settings import Settings
from storage import database, upkeep

log = structlog.get_logger()


async def one_round(settings: Settings) -> upkeep.Round | None:
    """What the round did; None: another process is at one."""
    days = settings.upkeep.model_dump()
    keeping = upkeep.Keeping(**{field.name: days[field.name] for field in fields(upkeep.Keeping)})
    async with await database.connect(wiring.dsn(settings), name="hanhtrinh upkeep") as conn:
        return await upkeep.keep(conn, keeping, wiring.clock(), socket.gethostname())


async def rounds(settings: Settings, every_s: float) -> None:
    """A round every so often until a signal; one that the database stops is tried again then."""
    stop = asyncio.Event()
    with wiring.stopped_by_signals(stop):
        while not stop.is_set():
            try:
                done = await one_round(settings)
            except psycopg.Error as error:
                log.warning("upkeep.failed", detail=str(error).strip())
            else:
                log.info("upkeep.done", **({} if done is None else done._asdict()))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
