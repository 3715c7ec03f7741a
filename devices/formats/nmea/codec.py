"""Codec "nmea": one or more NMEA 0183 sentences a payload (docs/codecs/nmea.md).

Sentences of one time of day make one fix: RMC gives it its date; GGA adds altitude, satellites and
precision; VTG, which has no time, belongs to the fix before it. Other sentences are not read. The
sentences may stand in the text of a tracker, which may name it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan, nan
from typing import Final

from devices.batch import I64, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.each_fix import each_fix
from devices.errors import DecodeError, EncodeError, Reject
from devices.formats.nmea.around import (
    ADDRESS,
    MAX_TEXT_CHARACTERS,
    identity,
    line_at,
    nearest,
    shown,
    unquoted,
)
from devices.formats.nmea.plain import decode_plain
from devices.formats.nmea.sentences import Sentence, find
from devices.formats.nmea.vendors import add_text, vendor_texts
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.units import KNOT_KMH
from devices.xor8 import xor8


@dataclass(slots=True)
class Epoch:
    """What the sentences of one time of day say together."""

    at: int
    time_of_day: int | None = None
    day: int | None = None
    lon: float = nan
    lat: float = nan
    valid: bool | None = None
    speed_kmh: float = nan
    heading: float = nan
    altitude: float = nan
    hdop: float = nan
    satellites: float = nan
    before: bytes = b""
    after: bytes = b""
    contradicts: bool = False

    def follow(self, text: bytes) -> None:
        """Add text behind a sentence; no more than is kept, or many sentences would take ages."""
        if len(self.after) < MAX_TEXT_CHARACTERS:
            self.after += text[:MAX_TEXT_CHARACTERS]

    def take(self, said: Sentence) -> None:
        """Add what a sentence says; what an earlier one said stays, but a date's status decides."""
        if self.time_of_day is None:
            self.time_of_day = said.time_of_day
        if said.valid is not None and (self.valid is None or said.day is not None):
            self.valid = said.valid
        if self.day is None:
            self.day = said.day
        if isnan(self.lon):
            self.lon, self.lat = said.lon, said.lat
        if isnan(self.speed_kmh):
            self.speed_kmh = said.speed_kmh
        if isnan(self.heading):
            self.heading = said.heading
        if isnan(self.altitude):
            self.altitude = said.altitude
        if isnan(self.hdop):
            self.hdop = said.hdop
        if isnan(self.satellites):
            self.satellites = said.satellites


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of sentences: plain ones all at once, the others sentence by sentence."""
    plain, others = decode_plain(payloads, received)
    if not len(others):
        return plain
    return merged([plain, decode_each(payloads, received, read, others.tolist())])


def read(payload: bytes, rows: FixRows) -> None:
    payload = unquoted(payload)
    starts = [found.start() for found in ADDRESS.finditer(payload)]
    if not starts:
        _read_text(payload, rows)
        return
    epochs: list[Epoch] = []
    ident, seen = "", 0
    in_text = bool(shown(payload[: starts[0]]) or identity(payload, starts[0]))
    for at, limit in zip(starts, [*starts[1:], len(payload)], strict=True):
        start = at + (payload[at] == _DOLLAR)
        line = line_at(payload, start, limit)
        try:
            found = find(line, in_text=in_text)
        except DecodeError as error:
            rows.refuse(error, at)
            seen = start + len(line)
            continue
        if found.said is not None:
            between = payload[seen:at]
            if epochs:
                after, _, between = between.partition(b"\n")
                epochs[-1].follow(after)
            _join(epochs, found.said, at, between)
            epochs[-1].contradicts |= found.contradicts
            ident = ident or found.ident
            seen = start + found.end
    if epochs:
        epochs[-1].follow(payload[seen:])
    if not ident and any(epoch.before or epoch.after for epoch in epochs):
        ident = identity(payload, starts[0])
    _add_all(epochs, ident, rows)


_DOLLAR: Final = ord("$")


def _read_text(payload: bytes, rows: FixRows) -> None:
    """A payload with no sentence in it that is read: perhaps a text that carries its fields."""
    read = False
    for shape, found in vendor_texts(payload):
        read = True
        try:
            add_text(shape, found, payload, rows)
        except DecodeError as error:
            rows.refuse(error, found.start())
    if not read:
        if b"$" in payload or _DEVICE_TEXT.search(payload):
            raise DecodeError(Reject.UNSUPPORTED, detail="no RMC, GGA, GLL or VTG sentence")
        detail = f"expected $ and a sentence, got {payload[:20]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)


_DEVICE_TEXT: Final = re.compile(rb"(?<!\d)\d{15}(?!\d)")
"""The identity of a tracker without a position, as some send it at the start."""


def _join(epochs: list[Epoch], said: Sentence, at: int, before: bytes) -> None:
    """Add a sentence to the epoch it belongs to, or begin a new one."""
    if epochs:
        last = epochs[-1]
        same_time = said.time_of_day is None or last.time_of_day in {None, said.time_of_day}
        if same_time and (last.day is None or said.day in {None, last.day}):
            last.take(said)
            last.follow(before)
            return
    epoch = Epoch(at, before=before)
    epoch.take(said)
    epochs.append(epoch)


def _add_all(epochs: list[Epoch], ident: str, rows: FixRows) -> None:
    near = int(rows.received[rows.payload])
    for epoch in epochs:
        try:
            _check(epoch)
        except DecodeError as error:
            rows.refuse(error, epoch.at)
            continue
        clock = epoch.time_of_day or 0
        time = clock + epoch.day if epoch.day is not None else nearest(clock, near)
        near = time
        rows.add(
            time,
            epoch.lon,
            epoch.lat,
            at=epoch.at,
            speed_kmh=epoch.speed_kmh,
            heading=epoch.heading,
            altitude=epoch.altitude,
            hdop=epoch.hdop,
            satellites=epoch.satellites,
            ident=ident,
            quality=0 if epoch.valid else Quality.NO_POSITION,
            extra=_beside(epoch),
        )


def _check(epoch: Epoch) -> None:
    if isnan(epoch.lon):
        raise DecodeError(Reject.NO_CONTENT, detail="sentences without coordinates")
    if epoch.time_of_day is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="time: expected hhmmss, got nothing")


def _beside(epoch: Epoch) -> dict[str, str] | None:
    """The text of a tracker beside its sentences, and what is wrong with these."""
    if not epoch.before and not epoch.after and not epoch.contradicts:
        return None
    texts = {"before": shown(epoch.before), "after": shown(epoch.after)}
    if epoch.contradicts:
        texts["checksum"] = "wrong"
    return {name: text for name, text in texts.items() if text}


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """RMC and GGA for each fix; idents, drivers, fix.inputs and odometers have no place in them."""
    del idents, drivers
    out = []
    for fix in each_fix(fixes):
        try:
            when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"nmea: time: expected a date, got {fix.time_us}") from None
        clock = f"{when:%H%M%S}.{fix.time_us // 1000 % 1000:03d}"
        place = f"{_angle(fix.lat, 2, 'NS')},{_angle(fix.lon, 3, 'EW')}"
        lost = fix.is_lost
        rmc = (
            f"GPRMC,{clock},{'V' if lost else 'A'},{place},{_text(fix.speed_kmh / KNOT_KMH, 4)},"
            f"{_text(fix.heading, 2)},{when:%d%m%y},,,{'N' if lost else 'A'}"
        )
        gga = (
            f"GPGGA,{clock},{place},{0 if lost else 1},"
            f"{'' if fix.satellites == _UNKNOWN_SATELLITES else fix.satellites},"
            f"{_text(fix.hdop, 2)},{_text(fix.altitude, 1)},M,,M,,"
        )
        out.append(_sentence(rmc) + _sentence(gga))
    return out


_UNKNOWN_SATELLITES: Final = 255
_PARTS: Final = 10**6


def _angle(value: float, digits: int, sides: str) -> str:
    """Degrees and minutes; rounded as one number, so that 59.9999999 minutes carry over."""
    degrees, parts = divmod(round(abs(value) * 60 * _PARTS), 60 * _PARTS)
    minutes, part = divmod(parts, _PARTS)
    return f"{degrees:0{digits}d}{minutes:02d}.{part:06d},{sides[value < 0]}"


def _text(value: float, decimals: int) -> str:
    return "" if isnan(value) else f"{value:.{decimals}f}"


def _sentence(body: str) -> bytes:
    raw = body.encode()
    return b"$%s*%02X\r\n" % (raw, xor8(raw))


NMEA: Final = register(Codec(name="nmea", decode=decode, encode=encode))
