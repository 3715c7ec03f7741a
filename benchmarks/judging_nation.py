"""How long does a day of 50,000 vehicles take to be judged again? From a measured tenth of it.

5,000 vehicles at 10 s are 43.2 million fixes a day. Six hours at a time are judged, in order of
vehicle, among communes, fences and roads, on one processor. Making them is not counted. The
baseline is what two processors need in order to judge the whole day in 120 s: 1.8 million fixes a
second of each.
"""

import time

import numpy as np

from benchmarks.parts.nation import batches, nation, stretch
from benchmarks.report import Result, run
from geofence.judge import Judge

DAY_FIXES = 50_000 * 8640
WANTED = DAY_FIXES / 120 / 2
HOURS = 6
"""Made and judged at a time, vehicle after vehicle, as stored fixes are read; it takes 4 GB."""


def measure(quick: bool) -> Result:
    """Judge a tenth of the day, or with --quick a thousandth."""
    one = nation(50 if quick else 5000, roads=True)
    judge = Judge(one.rulebook)
    spent, fixes, counted, findings = 0.0, 0, 0, 0
    for begin in range(0, 24, HOURS):
        for piece in batches(stretch(one.fleet, range(begin, begin + HOURS)), 250_000):
            settled = np.zeros(len(piece), np.bool_)
            started = time.process_time()
            judged = judge.advance(piece, settled)
            if fixes:  # the first batch loads the kernels
                spent += time.process_time() - started
                counted += len(piece)
            findings += sum(len(found.records) for found in judged.findings)
            fixes += len(piece)
    rate = counted / spent
    return Result(
        "a day of 50,000 vehicles judged again", "fixes/s of one processor", rate, WANTED,
        "what two processors need for it in 120 s",
        {
            "fixes": fixes, "findings": findings, "seconds": round(spent, 1),
            "projected_day_s_on_two_processors": round(DAY_FIXES / rate / 2, 1),
        },
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
