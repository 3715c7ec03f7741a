"""Intake: messages to fixes and weighings of known vehicles, and to the quarantine what is neither.

Pure: no clock, no database, no broker. Python runs once per message to read its topic and once per
codec to decode; everything after that is arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.batch import I32, UNKNOWN, Bool, FixBatch, WeighingBatch
from devices.codec import Codec, Decoded, Registration
from ingest.directory import Directory
from ingest.errors import Unusable
from ingest.source import MessageBatch
from ingest.topics import Address, TopicRouter

CodecTable = Callable[[str, str], Codec | None]
"""(codec name, identity from the topic) -> codec, or None. A weigh station may have a column map
of its own, so the identity takes part in the choice."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, or a part of one, that goes to the quarantine."""

    message: int
    reason: str
    at: int = 0
    detail: str = ""
    ident: str = ""


@dataclass(frozen=True, slots=True)
class Intake:
    """What a batch of messages came to.

    fixes: every row has a vehicle; `driver` indexes `licences`, -1 none. In the order of arrival.
    fix_message: shape (n,), the message that each fix came in.
    weighings: with `weighing_vehicle` and `weighing_station`, registry ids, shape (m,).
    refused: in no particular order; one message may be refused in several parts.
    """

    fixes: FixBatch
    fix_message: I32
    licences: tuple[str, ...]
    weighings: WeighingBatch
    weighing_vehicle: I32
    weighing_station: I32
    refused: list[Refused] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """The messages of one batch that one codec decodes."""

    codec: Codec
    messages: list[int] = field(default_factory=list)
    idents: list[str] = field(default_factory=list)


class _Collector:
    """Gathers what the groups yield and numbers drivers across them."""

    def __init__(self) -> None:
        self.fixes: list[FixBatch] = []
        self.fix_message: list[I32] = []
        self.licences: dict[str, int] = {}
        self.weighings: list[WeighingBatch] = []
        self.weighing_vehicle: list[I32] = []
        self.weighing_station: list[I32] = []
        self.refused: list[Refused] = []

    def add_fixes(self, decoded: Decoded, vehicle: I32, message: I32, keep: Bool) -> None:
        fixes = decoded.fixes.with_columns(vehicle=vehicle)
        if decoded.drivers:
            numbers = np.array(
                [self.licences.setdefault(name, len(self.licences)) for name in decoded.drivers],
                np.int32,
            )
            driver = np.where(fixes.driver >= 0, numbers[fixes.driver], UNKNOWN)
            fixes = fixes.with_columns(driver=driver.astype(np.int32))
        if not keep.all():
            fixes, message = fixes.take(keep), message[keep]
        self.fixes.append(fixes)
        self.fix_message.append(message)

    def intake(self) -> Intake:
        none = np.empty(0, np.int32)
        return Intake(
            fixes=FixBatch.concat(self.fixes),
            fix_message=np.concatenate([none, *self.fix_message]),
            licences=tuple(self.licences),
            weighings=WeighingBatch.concat(self.weighings),
            weighing_vehicle=np.concatenate([none, *self.weighing_vehicle]),
            weighing_station=np.concatenate([none, *self.weighing_station]),
            refused=self.refused,
        )


def take_in(
    batch: MessageBatch, router: TopicRouter, codecs: CodecTable, directory: Directory
) -> Intake:
    """Decode a batch and resolve whose fixes and weighings they are."""
    out = _Collector()
    for group in _groups(batch, router, codecs, out.refused):
        messages = np.array(group.messages, np.int32)
        decoded = group.codec.decode(
            [batch.payloads[i] for i in group.messages], batch.received[messages]
        )
        for refusal in decoded.refusals:
            out.refused.append(
                Refused(
                    group.messages[refusal.payload], refusal.reason, refusal.at, refusal.detail,
                    group.idents[refusal.payload],
                )
            )  # fmt: skip
        for registration in decoded.registrations:
            out.refused.append(_as_refused(registration, group))
        if len(decoded.fixes):
            _resolve_fixes(decoded, group, messages, directory, out)
        if len(decoded.weighings):
            _resolve_weighings(decoded, group, messages, directory, out)
    return out.intake()


def _groups(
    batch: MessageBatch, router: TopicRouter, codecs: CodecTable, refused: list[Refused]
) -> list[_Group]:
    """Messages by codec, in the order in which codecs first occur."""
    groups: dict[int, _Group] = {}
    for message, address in enumerate(router.addresses(batch.topics)):
        if not isinstance(address, Address):
            refused.append(Refused(message, address, detail=f"topic {batch.topics[message]!r}"))
            continue
        codec = codecs(address.codec, address.ident)
        group = groups.get(id(codec))
        if group is None:
            if codec is None:
                detail = f"codec {address.codec!r}"
                refused.append(
                    Refused(message, Unusable.UNKNOWN_CODEC, detail=detail, ident=address.ident)
                )
                continue
            group = groups[id(codec)] = _Group(codec)
        group.messages.append(message)
        group.idents.append(address.ident)
    return list(groups.values())


def _as_refused(registration: Registration, group: _Group) -> Refused:
    """Master data waits for a person: a feed must not be able to add vehicles to the registry.

    Who drives stands in the message alone: details are logged.
    """
    values = ", ".join(
        name if name == "driver" or registration.kind == "driver" else f"{name}={value}"
        for name, value in registration.values.items()
    )
    return Refused(
        group.messages[registration.payload],
        Unusable.REGISTRATION,
        detail=f"{registration.kind}: {values}",
        ident=group.idents[registration.payload],
    )


def _resolve_fixes(
    decoded: Decoded, group: _Group, messages: I32, directory: Directory, out: _Collector
) -> None:
    """Add the fixes whose vehicle is known; refuse the others, once per message and identity."""
    message = messages[decoded.fix_payload]
    inner = decoded.fix_ident if decoded.idents else np.full(len(message), UNKNOWN, np.int32)
    if group.codec.identity == "plate":
        rows = directory.plates.rows_of(decoded.idents)
        vehicle = directory.plates.vehicles(_pick(rows, inner), decoded.fixes.time)
        _refuse_unknown(
            vehicle < 0, message, [decoded.idents[i] if i >= 0 else "" for i in inner[vehicle < 0]],
            Unusable.UNKNOWN_PLATE, out.refused,
        )  # fmt: skip
        out.add_fixes(decoded, vehicle, message, vehicle >= 0)
        return
    rows = directory.devices.rows_of(group.idents)
    vehicle = directory.devices.vehicles(rows[decoded.fix_payload], decoded.fixes.time)
    unknown = vehicle < 0
    payload = decoded.fix_payload
    _refuse_unknown(
        unknown, message, [group.idents[p] for p in payload[unknown]],
        Unusable.UNKNOWN_DEVICE, out.refused,
    )  # fmt: skip
    contradicted = _contradictions(decoded, group, inner)
    for row in np.flatnonzero(contradicted & ~unknown).tolist():
        ident, claimed = group.idents[payload[row]], decoded.idents[inner[row]]
        out.refused.append(
            Refused(
                int(message[row]), Unusable.IDENTITY_MISMATCH, ident=ident,
                detail=f"topic names {ident!r}, payload {claimed!r}",
            )
        )  # fmt: skip
    out.add_fixes(decoded, vehicle, message, ~(unknown | contradicted))


def _contradictions(decoded: Decoded, group: _Group, inner: I32) -> Bool:
    """Where an identity inside the payload is not the one that the topic names; shape (n,)."""
    if not decoded.idents:
        return np.zeros(len(inner), np.bool_)
    number = {name: row for row, name in enumerate(decoded.idents)}
    named = np.array([number.get(ident, UNKNOWN) for ident in group.idents], np.int32)
    contradicted: Bool = (inner >= 0) & (inner != named[decoded.fix_payload])
    return contradicted


def _resolve_weighings(
    decoded: Decoded, group: _Group, messages: I32, directory: Directory, out: _Collector
) -> None:
    weighings, payload = decoded.weighings, decoded.weighing_payload
    vehicle = directory.plates.vehicles(directory.plates.rows_of(weighings.plate), weighings.time)
    station = np.full(len(weighings), UNKNOWN, np.int32)
    keep: list[int] = []
    for row in range(len(weighings)):
        ident = group.idents[payload[row]]
        named, plate = weighings.station[row], weighings.plate[row]
        message = int(messages[payload[row]])
        station[row] = directory.stations.get(ident, UNKNOWN)
        if named and named != ident:
            reason, detail = Unusable.IDENTITY_MISMATCH, f"topic names {ident!r}, payload {named!r}"
        elif station[row] < 0:
            reason, detail = Unusable.UNKNOWN_STATION, f"station {ident!r}"
        elif vehicle[row] < 0:
            reason, detail = Unusable.UNKNOWN_PLATE, f"plate {plate!r}"
        else:
            keep.append(row)
            continue
        out.refused.append(Refused(message, reason, detail=detail, ident=ident))
    rows = np.array(keep, np.intp)
    out.weighings.append(weighings.take(rows))
    out.weighing_vehicle.append(vehicle[rows])
    out.weighing_station.append(station[rows])


def _refuse_unknown(
    unknown: Bool, message: I32, names: Sequence[str], reason: Unusable, refused: list[Refused]
) -> None:
    """One refusal for each message and unknown name."""
    seen: dict[tuple[int, str], int] = {}
    for where, name in zip(message[unknown].tolist(), names, strict=True):
        seen[where, name] = seen.get((where, name), 0) + 1
    for (where, name), count in seen.items():
        refused.append(Refused(where, reason, detail=f"{name!r}: {count} fixes", ident=name))


def _pick(values: I32, index: I32) -> I32:
    """values[index], -1 where index is."""
    if not len(values):
        return np.full(index.shape, UNKNOWN, np.int32)
    return np.where(index >= 0, values[index], UNKNOWN).astype(np.int32)
