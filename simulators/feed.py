"""The feed: fixes and weighings as MQTT messages, as the trackers and stations would send them.

Belongs here: topics, and which encoder makes which payload. Does not belong here: sending, and
the faults of real feeds (dirt.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from devices.batch import FixBatch, WeighingBatch
from devices.catalogue import codec
from devices.errors import EncodeError
from devices.formats.teltonika.encoding import encode_packet
from devices.formats.ufms.codec import encode_batch
from simulators.fleet import Fleet
from simulators.vehicles import NAMELESS, PROVIDER, SimulatedVehicle

AT_ONCE: Final = 30
"""Fixes that a tracker puts into one message when it empties its memory."""


@dataclass(frozen=True, slots=True)
class Message:
    """One publish. due_us: when it is sent, microseconds since 1970-01-01 UTC.

    sender: row of the vehicle whose tracker sends it; None: a weigh station.
    """

    due_us: int
    topic: str
    payload: bytes
    sender: int | None = None


def topic_of(vehicle: SimulatedVehicle) -> str:
    """Where a vehicle's tracker publishes."""
    if vehicle.codec == "owntracks":
        return f"owntracks/{vehicle.ident}"
    ident = PROVIDER if vehicle.codec == "ufms" else vehicle.ident
    return f"gsht/v1/{vehicle.codec}/{ident}"


def single(fleet: Fleet, fixes: FixBatch) -> list[Message]:
    """One message per fix, sent when the fix is taken; in that order."""
    messages: list[Message] = []
    for name, rows in _by_codec(fleet, fixes):
        part = fixes.take(rows)
        vehicles = [fleet.vehicles[row] for row in part.vehicle.tolist()]
        encode = codec(name).encode
        if encode is None:
            raise EncodeError(f"codec {name!r}: expected one that encodes")
        payloads = encode(part, _inner_idents(vehicles), fleet.licences)
        messages.extend(
            Message(due, topic_of(vehicle), payload, vehicle.number - 1)
            for due, vehicle, payload in zip(
                part.received.tolist(), vehicles, payloads, strict=True
            )
        )
    messages.sort(key=lambda message: message.due_us)
    return messages


def buffered(fleet: Fleet, fixes: FixBatch) -> list[Message]:
    """What trackers send when they come back into coverage: many fixes a message, oldest first.

    Formats that hold one fix a message are sent one by one. `due_us` is the time of the last fix.
    """
    messages: list[Message] = []
    one_by_one = np.zeros(len(fixes), np.bool_)
    for name, rows in _by_codec(fleet, fixes):
        pack = PACKERS.get(name)
        if pack is None:
            one_by_one[rows] = True
            continue
        for part in _runs(fixes.take(rows)):
            vehicle = fleet.vehicles[int(part.vehicle[0])]
            payload = pack(part, _inner_idents([vehicle] * len(part)), fleet.licences)
            due, sender = int(part.received[-1]), vehicle.number - 1
            messages.append(Message(due, topic_of(vehicle), payload, sender))
    messages.extend(single(fleet, fixes.take(one_by_one)))
    messages.sort(key=lambda message: message.due_us)
    return messages


def weighed(weighings: WeighingBatch) -> list[Message]:
    """One message per weighing, in the JSON format."""
    encode = codec("weigh-json").encode_weighings
    if encode is None:
        raise EncodeError("codec 'weigh-json': expected one that encodes weighings")
    return [
        Message(due, f"weigh/v1/json/{station}", payload)
        for due, station, payload in zip(
            weighings.time.tolist(), weighings.station, encode(weighings), strict=True
        )
    ]


def _by_codec(
    fleet: Fleet, fixes: FixBatch
) -> list[tuple[str, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    of_fix = fleet.codec_of[fixes.vehicle]
    return [
        (name, rows)
        for number, name in enumerate(fleet.codecs)
        if len(rows := np.flatnonzero(of_fix == number))
    ]


def _inner_idents(vehicles: Sequence[SimulatedVehicle]) -> list[str]:
    """What the payload says about whose it is: a provider's feed names the vehicle by plate."""
    return [_inner_ident(vehicle) for vehicle in vehicles]


def _inner_ident(vehicle: SimulatedVehicle) -> str:
    if vehicle.codec in NAMELESS:
        return ""
    return vehicle.plate if vehicle.codec == "ufms" else vehicle.ident


def _runs(fixes: FixBatch) -> list[FixBatch]:
    """The fixes by vehicle, in order of time, at most AT_ONCE in a part."""
    ordered = fixes.take(fixes.order())
    starts = np.flatnonzero(np.diff(ordered.vehicle, prepend=-1))
    parts = []
    for begin, end in pairwise([*starts.tolist(), len(ordered)]):
        parts += [
            ordered.take(np.arange(first, min(first + AT_ONCE, end)))
            for first in range(begin, end, AT_ONCE)
        ]
    return parts


Packer = Callable[[FixBatch, Sequence[str], Sequence[str]], bytes]


def _json_array(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> bytes:
    encode = codec("json").encode
    assert encode is not None
    return b"[" + b",".join(encode(fixes, idents, drivers)) + b"]"


def _nmea_lines(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> bytes:
    encode = codec("nmea").encode
    assert encode is not None
    return b"".join(encode(fixes, idents, drivers))


def _teltonika_packet(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> bytes:
    del idents, drivers
    return encode_packet(fixes)


PACKERS: Final[dict[str, Packer]] = {
    "json": _json_array,
    "nmea": _nmea_lines,
    "teltonika": _teltonika_packet,
    "ufms": encode_batch,
}
"""Formats that hold several fixes in one message."""
