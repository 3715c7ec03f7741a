"""Trackers with which something is wrong: in a lawful drive they are what offends.

Belongs here: one builder for every fault that a rule of section 6 finds.
"""

from typing import Final

from simulators.motion import Drive
from simulators.script import Fault, Script, before
from simulators.truth import FaultKind, Stretch
from simulators.vehicles import CODECS, Make

SILENCE_S: Final = 190.0
UNSEEN_AFTER_S: Final = 900.0
LOST_S: Final = 170.0
CUT_S: Final = 200.0
CLONED_S: Final = 240.0

POWER_CODECS: Final = frozenset(
    {"flespi", "json", "jt808", "jt808-json", "teltonika", "teltonika-cbor", "teltonika-json"}
)
"""Formats that say both that power is cut and that it is not."""

CLOCK_CODECS: Final = frozenset(CODECS) - {"ufms"}
"""Formats of trackers that send by themselves: a provider passes on when it can."""


def silent(make: Make, drive: Drive, part: float, silence_s: float = SILENCE_S) -> Script:
    """A vehicle whose tracker falls silent in full motion for some minutes.

    part: how far along its line, as a fraction, it drives when the fault begins.
    """
    fault = _fault("silent", drive, part, silence_s)
    details = {"gap_s": silence_s}
    kinds = ["data_gap"] + ["moved_unseen"] * (silence_s > UNSEEN_AFTER_S)
    plan = tuple(
        Stretch(kind, "", fault.from_s, fault.to_s, 0.0, 0, 1, details=details) for kind in kinds
    )
    return Script(make, drive, plan, before(plan), faults=(fault,))


def lost(make: Make, drive: Drive, part: float) -> Script:
    """A vehicle whose receiver hears no satellite for some minutes, while its tracker sends."""
    fault = _fault("no_position", drive, part, LOST_S)
    span = (fault.from_s, fault.to_s)
    plan = (
        Stretch("gps_lost", "", *span, 120.0, 2, 0, shown_by="no_position"),
        # Of a place that nobody knows rules see nothing: it is a gap as well.
        Stretch("data_gap", "", *span, 0.0, 0, 1, details={"gap_s": LOST_S}),
    )
    return Script(make, drive, plan, before(plan), faults=(fault,))


def unpowered(make: Make, drive: Drive, part: float) -> Script:
    """A vehicle whose tracker is cut from its battery for some minutes, and says so."""
    fault = _fault("no_power", drive, part, CUT_S)
    plan = (Stretch("power_cut", "", fault.from_s, fault.to_s, 60.0, 2, 0),)
    return Script(make, drive, plan, before(plan), faults=(fault,), codecs=POWER_CODECS)


def cloned(make: Make, drive: Drive, part: float) -> Script:
    """A vehicle whose tracker's identity another device has for some minutes, far away."""
    fault = _fault("cloned", drive, part, CLONED_S)
    span = (fault.from_s, fault.to_s)
    plan = (Stretch("cloned_device", "", *span, 0.0, 2, 0, shown_by="cloned"),)
    return Script(make, drive, plan, before(plan), faults=(fault,))


def ahead(make: Make, drive: Drive) -> Script:
    """A vehicle whose clock is ahead for a minute, again and again, once its past is sent."""
    fault = Fault("ahead", 0.0, 0.0)
    return Script(make, drive, (), (0.0, drive.period_s), faults=(fault,), codecs=CLOCK_CODECS)


def _fault(kind: FaultKind, drive: Drive, part: float, lasts_s: float) -> Fault:
    begin = drive.when(part * drive.line.length_m)
    return Fault(kind, begin, begin + lasts_s)
