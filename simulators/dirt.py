"""Dirt: the faults of real feeds, in known shares.

Belongs here: duplicates, delays, disorder, outages, exchanged axes and impossible jumps, which the
pipeline must bear without a violation more or less. Does not belong here: violations.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

import numpy as np

from devices.batch import F64, I64, Bool, FixBatch, Quality
from simulators.feed import Message
from simulators.noise import uniform

JUMP_DEG: Final = 0.4
"""Some 44 km: over 250 km/h for any fix that comes within ten minutes of the one before."""

DRIFT_DEG_PER_S: Final = 0.001
"""Where fixes are thrown goes away at 400 km/h: two that are thrown within ten minutes are no two
fixes of one way, which a second device with the vehicle's identity might have gone."""

DRIFT_S: Final = 3600
"""Then it begins anew, 400 km nearer."""

GRACE_US: Final = 60_000_000
"""No jump in a vehicle's first minute: with nothing before it, it could not be told for one."""

LATE_S: Final = (20.0, 100.0)
"""A fix that is held back comes so many seconds late."""

OUTAGE_EVERY_S: Final = 600
"""In each span of so long a sender has one outage or none."""

OUTAGE_S: Final = (30.0, 240.0)
"""How long it lasts."""

CATCH_UP: Final = 20.0
"""What was kept meanwhile is then sent so many times as fast as it came, the newest first."""

SWITCH_S: Final = 12.0
"""Enough to come behind the next one."""


@dataclass(frozen=True, slots=True)
class Dirt:
    """Shares (0..1) of fixes that suffer each fault; of outages, of senders' spans of time."""

    duplicates: float = 0.0
    late: float = 0.0
    out_of_order: float = 0.0
    swapped: float = 0.0
    jumps: float = 0.0
    outages: float = 0.0

    @property
    def is_clean(self) -> bool:
        return self == Dirt()


MILD: Final = Dirt(
    duplicates=0.01, late=0.002, out_of_order=0.005, swapped=0.005, jumps=0.001, outages=0.02
)


def spoil_fixes(
    fixes: FixBatch,
    dirt: Dirt,
    seed: int,
    start_us: int,
    can_swap: Bool | None = None,
    can_jump: Bool | None = None,
) -> FixBatch:
    """Exchange the axes of some fixes, and throw some far away.

    can_swap: whose formats can write exchanged axes; None: all. can_jump: those that may be thrown.
    Fixes without a position stay as they are.
    """
    if dirt.is_clean:
        return fixes
    swapped = uniform(seed, fixes.vehicle, fixes.time, 21) < dirt.swapped
    has_position = (fixes.quality & Quality.NO_POSITION) == 0
    swapped &= has_position if can_swap is None else has_position & can_swap
    jumps = uniform(seed, fixes.vehicle, fixes.time, 22) < dirt.jumps
    jumps &= has_position if can_jump is None else has_position & can_jump
    jumps &= ~swapped & (fixes.time > start_us + GRACE_US)
    thrown = JUMP_DEG + DRIFT_DEG_PER_S * (fixes.time / 1e6 % DRIFT_S)
    return fixes.with_columns(
        lon=np.where(swapped, fixes.lat, fixes.lon),
        lat=np.where(swapped, fixes.lon, fixes.lat - thrown * jumps),
    )


def spoil_messages(
    messages: list[Message], dirt: Dirt, seed: int, prompt: AbstractSet[str] = frozenset()
) -> list[Message]:
    """Delay, disorder and double some messages; in order of `due_us` again.

    prompt: topics whose messages are doubled at most: what they show hangs on their arrival.
    """
    if dirt.is_clean or not messages:
        return messages
    number = np.arange(len(messages))
    due = np.array([message.due_us for message in messages], np.int64)
    waits = np.array([message.topic not in prompt for message in messages])
    delay_s = np.where(uniform(seed, number, due, 23) < dirt.out_of_order, SWITCH_S, 0.0)
    late = uniform(seed, number, due, 24) < dirt.late
    least, most = LATE_S
    delay_s = np.where(late, least + (most - least) * uniform(seed, number, due, 25), delay_s)
    delay_s = np.maximum(delay_s, _held_back_s(messages, due, dirt.outages, seed)) * waits
    doubled = uniform(seed, number, due, 26) < dirt.duplicates
    spoilt = []
    for message, wait_s, twice in zip(messages, delay_s.tolist(), doubled.tolist(), strict=True):
        sent = replace(message, due_us=message.due_us + int(wait_s * 1e6)) if wait_s else message
        spoilt.extend([sent, sent] if twice else [sent])
    spoilt.sort(key=lambda message: message.due_us)
    return spoilt


def _held_back_s(messages: Sequence[Message], due: I64, share: float, seed: int) -> F64:
    """How long each message waits because its sender reaches nobody, 0: not at all.

    A sender is a topic: a tracker, or a provider with all its vehicles.
    """
    if not share:
        return np.zeros(len(messages))
    sender = np.array([crc32(message.topic.encode()) for message in messages], np.int64)
    span, within = np.divmod(due / 1e6, OUTAGE_EVERY_S)
    span = span.astype(np.int64)
    least, most = OUTAGE_S
    lasts = least + (most - least) * uniform(seed, sender, span, 28)
    begins = (OUTAGE_EVERY_S - lasts) * uniform(seed, sender, span, 29)
    left = begins + lasts - within
    is_held = (uniform(seed, sender, span, 27) < share) & (within >= begins) & (left > 0.0)
    return np.where(is_held, left + left / CATCH_UP, 0.0)
