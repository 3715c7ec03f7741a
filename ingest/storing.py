"""Writing what the judge concluded, in the transaction that the judged fixes come in by."""

from dataclasses import replace

import numpy as np
from psycopg import AsyncConnection

from devices.batch import DISQUALIFYING
from geofence.rules.driving import KIND as DRIVING
from ingest.judging import Judgement
from storage import fixes as fix_table
from storage import progress as progress_table
from storage import violations as violation_table
from storage.violations import NO_CHANGES, Changes


async def store(conn: AsyncConnection, judgement: Judgement, reason: str) -> Changes:
    """Write what the judge concluded; reason: why what was judged before may have changed.

    Returns what became of the violations of vehicles that were judged again, and the departures of
    all, which have to be compared with timetables.
    """
    await fix_table.insert_fixes(conn, judgement.new)
    if len(judgement.repeats):
        await fix_table.insert_repeats(conn, judgement.repeats)
    changed = judgement.changed
    if len(changed):
        await fix_table.update_quality(conn, changed.vehicle, changed.time, changed.quality)
    replayed = set(judgement.replayed.tolist())
    found = [i for i in judgement.intervals if i.kind != DRIVING]
    written = await violation_table.write(conn, [i for i in found if i.vehicle not in replayed])
    changes = replace(NO_CHANGES, departures=written.departures)
    if replayed:
        changes = await violation_table.reconcile(
            conn,
            judgement.replayed,
            judgement.settled_until,
            [key for key in judgement.pending if key[0] != DRIVING],
            [i for i in found if i.vehicle in replayed],
            reason,
        )
        changes = replace(changes, departures=changes.departures | written.departures)
        await progress_table.drop_marks(conn, judgement.replayed, judgement.settled_until)
    marks = judgement.marks
    if len(marks):
        await progress_table.add_marks(conn, marks.vehicle, marks.time, judgement.mark_needs_from)
    if len(judgement.vehicles):
        # Without a clean fix there is none in what was judged again, nor stored: the newest stays.
        clean = judgement.shown.quality & np.uint16(DISQUALIFYING) == 0
        await progress_table.upsert_latest(
            conn,
            judgement.shown,
            judgement.stored_until,
            judgement.judged_until,
            judgement.needs_from,
            np.isin(judgement.vehicles, judgement.replayed) & clean,
        )
    return changes
