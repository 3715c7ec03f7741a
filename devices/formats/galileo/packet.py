"""Codec "galileo": packets of Galileosky's trackers (docs/codecs/galileo.md).

    header 01 | length u16 LE (bit 15: more in the archive) | tags | CRC-16/Modbus u16 LE

A tag that was there already begins the next record. Header 08 is the same with compressed records,
and a message of an Iridium modem carries either without length and CRC.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from devices.batch import I64, Input, Quality
from devices.checks import check_size
from devices.codec import LATEST_AHEAD_US, Codec, Decoded, register
from devices.columns import SECOND_US
from devices.crc16 import MODBUS
from devices.errors import DecodeError, Reject
from devices.formats.galileo import tags
from devices.formats.galileo.encoding import encode
from devices.layouts import Kind, Meaning, Splits, Values, Walk, inputs_of, read
from devices.records import Records
from devices.texts import printable

PACKET: Final = 0x01
PHOTO: Final = 0x07
COMPRESSED: Final = 0x08

IGNITION_BIT: Final = 9
MOVEMENT_BIT: Final = 0
DIGITAL: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)

_HEADER_BYTES: Final = 3
_CRC_BYTES: Final = 2
_LENGTH_MASK: Final = 0x7FFF
_MINIMAL_BYTES: Final = 10


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: packets cut one by one, records as columns."""
    records = Records()
    splits = {PACKET: Splits(_split_tags), COMPRESSED: Splits(_split_compressed)}
    framed: list[int] = []

    def frame(index: int, payload: bytes) -> None:
        check_size(payload)
        if payload[3:6] == _IRIDIUM and payload[0] == PACKET:
            _add_iridium(payload, index, splits, records)
        else:
            _check_frame(payload)
            framed.append(index)

    def add(index: int, crc: int) -> None:
        payload = payloads[index]
        _check_crc(payload, crc)
        content = payload[_HEADER_BYTES:-_CRC_BYTES]
        _add(content, _HEADER_BYTES, index, payload[0], splits, records)

    records.each(frame, range(len(payloads)), payloads)
    crcs = MODBUS.of_each([payloads[index][:-_CRC_BYTES] for index in framed])
    records.each(add, framed, crcs)
    return read(records, _KINDS, received)


def _check_frame(payload: bytes) -> None:
    least = _HEADER_BYTES + _CRC_BYTES
    if len(payload) < least:
        detail = f"expected at least {least} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    header = payload[0]
    if header == PHOTO:
        raise DecodeError(Reject.UNSUPPORTED, detail="header 07 (part of a photo)")
    if header not in {PACKET, COMPRESSED}:
        detail = f"header: expected 01 or 08, got {header:02x}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    whole = least + ((payload[2] << 8 | payload[1]) & _LENGTH_MASK)
    if len(payload) != whole:
        detail = f"length {whole - least}: expected {whole} bytes, got {len(payload)}"
        if len(payload) < whole:
            raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
        raise DecodeError(Reject.TRAILING_BYTES, at=whole, detail=detail)


def _check_crc(payload: bytes, crc: int) -> None:
    sent = payload[-1] << 8 | payload[-2]
    if sent != crc:
        detail = f"crc: expected {crc:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=len(payload) - _CRC_BYTES, detail=detail)


def _add(
    content: bytes, at: int, index: int, header: int, splits: dict[int, Splits], records: Records
) -> None:
    """Cut the content of a packet into its records."""
    try:
        spans = splits[header].of(content)
    except DecodeError as error:
        raise DecodeError(error.reason, at=at + error.at, detail=error.detail) from None
    if not spans:
        raise DecodeError(Reject.NO_CONTENT, at=at, detail="a packet without tags")
    kind = "tags" if header == PACKET else "compressed"
    ident = ""
    for start, stop, imei in spans:
        if imei >= 0:
            digits = content[imei : imei + 15].strip(b"\0 ")
            ident = digits.decode("ascii") if digits.isdigit() else ""
        records.add(index, at + start, kind, content[start:stop], ident)


def _split_tags(walk: Walk) -> list[tuple[int, int, int]]:
    """Where each record begins and ends, and where its IMEI is, -1 without one."""
    spans: list[tuple[int, int, int]] = []
    seen: set[int] = set()
    start, imei = 0, -1
    while walk.left:
        before = walk.position
        tag = walk.look()
        if tag in seen:
            spans.append((start, before, imei))
            start, imei = before, -1
            seen.clear()
        seen.add(tag)
        if tag == tags.IMEI:
            imei = walk.position
        _walk_value(walk, tag)
    return [*spans, (start, walk.position, imei)] if seen else []


def _split_compressed(walk: Walk) -> list[tuple[int, int, int]]:
    spans: list[tuple[int, int, int]] = []
    while walk.left:
        start = walk.position
        _walk_compressed_record(walk)
        spans.append((start, walk.position, -1))
    return spans


def _walk_value(walk: Walk, tag: int) -> None:
    if (known_tag := tags.TAGS.get(tag)) is not None:
        walk.value(tag, known_tag.kind)
    elif tag in tags.PARTED:
        for key, kind in tags.PARTED[tag]:
            walk.value(key, kind)
    elif tag in tags.SIZED:
        size = walk.look(tags.SIZED[tag][0])
        if size:
            walk.value(tag, f"V{size}")
    else:
        detail = f"tag: expected a known one, got {tag:02x}, whose length nobody knows"
        raise DecodeError(Reject.BAD_VALUE, at=walk.position - 1, detail=detail)


def _walk_record(walk: Walk) -> None:
    found = set()
    while walk.left:
        tag = walk.look()
        found.add(tag)
        _walk_value(walk, tag)
    if tags.PLACE not in found:
        if found & {tags.ANSWER, 0xE0}:
            raise DecodeError(Reject.UNSUPPORTED, detail="an answer to a command, no position")
        raise DecodeError(Reject.UNSUPPORTED, detail="a record without coordinates (tag 30)")
    if tags.TIME not in found:
        raise DecodeError(Reject.MISSING_FIELD, detail="time (tag 20): expected, got nothing")


def _walk_compressed_record(walk: Walk) -> None:
    walk.value("minimal", f"V{_MINIMAL_BYTES}")
    listed = [walk.look() for _ in range(walk.look())]
    if len(set(listed)) < len(listed):
        raise DecodeError(Reject.BAD_VALUE, at=walk.position, detail="a tag is listed twice")
    for tag in listed:
        _walk_value(walk, tag)


def _meaning(values: Values) -> Meaning:
    time = values[tags.TIME] * 1e6
    if tags.MILLISECONDS in values:
        time += np.minimum(values[tags.MILLISECONDS], 999) * 1e3
    return _said(values, time, *_place(values))


def _place(values: Values) -> tuple[Any, Any, Any, Any]:
    """Longitude, latitude, quality and satellites of tag 30."""
    quality = np.where(values["place"] >> 4 == 0, 0, int(Quality.NO_POSITION))
    return values["lon"] / 1e6, values["lat"] / 1e6, quality, values["place"] & 0xF


def _said(
    values: Values, time: Any, lon: Any, lat: Any, quality: Any, satellites: Any = np.nan
) -> Meaning:
    columns = {
        "time": time, "lon": lon, "lat": lat, "quality": quality, "satellites": satellites,
    }  # fmt: skip
    if "speed" in values:
        columns |= {"speed_kmh": values["speed"] / 10, "heading": values["course"] / 10}
    if tags.ALTITUDE in values:
        columns["altitude"] = values[tags.ALTITUDE]
    if tags.HDOP in values:
        # Of a place that base stations gave it is an error in metres instead.
        columns["hdop"] = np.where(quality == 0, values[tags.HDOP] / 10, np.nan)
    if tags.ODOMETER in values:
        columns["odometer"] = values[tags.ODOMETER]
    states: dict[Input, Any] = {}
    if tags.STATUS in values:
        status = values[tags.STATUS]
        states[Input.IGNITION] = status >> IGNITION_BIT & 1 > 0
        states[Input.MOVEMENT] = status >> MOVEMENT_BIT & 1 > 0
    if tags.INPUTS in values:
        inputs = values[tags.INPUTS]
        states |= {bit: inputs >> number & 1 > 0 for number, bit in enumerate(DIGITAL)}
    columns["inputs"] = inputs_of(states)
    return Meaning(columns, _extra(values))


def _extra(values: Values) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for tag, column in values.items():
        if tag in tags.SIZED:
            extra[tags.SIZED[tag][1]] = _texts(column, text=tag == tags.ANSWER)
        elif tag in tags.TAGS and (found := tags.TAGS[tag]).key:
            if found.kind[0] == "V":
                extra[found.key] = _texts(column, text=False)
            else:
                extra[found.key] = column / found.divisor if found.divisor > 1 else column
    if "place" in values:
        sources = (values["place"] >> 4).tolist()
        if any(sources):
            extra["place_source"] = [source or None for source in sources]
    return extra


def _texts(column: Any, *, text: bool) -> list[str]:
    if text:
        return [printable(raw.decode("latin-1")) for raw in column.tolist()]
    return [raw.hex() for raw in column.tolist()]


def _compressed_meaning(values: Values) -> Meaning:
    """Minimal data, bits from the left: 1 unused, 25 time, 1 no place, 22 and 21 place, 1 alarm."""
    numbers = [int.from_bytes(raw, "big") for raw in values["minimal"].tolist()]
    seconds = np.array([number >> 54 & 0x1FF_FFFF for number in numbers])
    lost = np.array([number >> 53 & 1 for number in numbers])
    lon = np.array([number >> 31 & 0x3F_FFFF for number in numbers]) * 360 / (1 << 22) - 180
    lat = np.array([number >> 10 & 0x1F_FFFF for number in numbers]) * 180 / (1 << 21) - 90
    alarm = [number >> 9 & 1 or None for number in numbers]
    quality = np.where(lost > 0, int(Quality.NO_POSITION), 0)
    said = _said(values, _in_year(seconds, values["received"]), lon, lat, quality)
    said.extra = {
        **said.extra, "alarm": alarm, "tail": [number & 0x1FF for number in numbers],
    }  # fmt: skip
    return said


def _in_year(seconds: Any, received: I64) -> Any:
    """Instants of seconds since New Year: of the year of arrival, or of the one before."""
    years = received.astype("datetime64[us]").astype("datetime64[Y]")
    latest = received + LATEST_AHEAD_US
    this, last = (
        year.astype("datetime64[us]").astype(np.int64) + seconds * SECOND_US
        for year in (years, years - 1)
    )
    return np.where(this <= latest, this, last).astype(np.float64)


_IRIDIUM: Final = b"\x01\x00\x1c"
_IRIDIUM_IDENT: Final = slice(10, 25)
_IRIDIUM_PLACE: Final = slice(34, 37)
_IRIDIUM_DATA: Final = 48


def _add_iridium(payload: bytes, index: int, splits: dict[int, Splits], records: Records) -> None:
    """A message of an Iridium modem: elements 01 (the call), 03 (its place) and 02 (the data)."""
    length, data = payload[1] << 8 | payload[2], _IRIDIUM_DATA + 3
    if len(payload) < max(data, 3 + length):
        detail = f"Iridium: expected {max(data, 3 + length)} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    if payload[_IRIDIUM_PLACE] != b"\x03\x00\x0b" or payload[_IRIDIUM_DATA] != 2:
        detail = "Iridium: expected elements 01, 03 (11 bytes) and 02"
        raise DecodeError(Reject.BAD_SYNTAX, at=_IRIDIUM_PLACE.start, detail=detail)
    size = payload[data - 2] << 8 | payload[data - 1]
    if not data + size == 3 + length == len(payload):
        detail = f"Iridium: data of {size} bytes ends at {data + size}, expected {len(payload)}"
        raise DecodeError(Reject.BAD_VALUE, at=data, detail=detail)
    digits = payload[_IRIDIUM_IDENT]
    ident = digits.decode("ascii") if digits.isdigit() else ""
    header, content = PACKET, payload[data:]
    try:
        content = _with_place(payload, content)
    except DecodeError:
        header = COMPRESSED  # nothing else in the message tells them apart
    before = len(records.ident)
    _add(content, data, index, header, splits, records)
    records.ident[before:] = [ident] * (len(records.ident) - before)


def _with_place(payload: bytes, content: bytes) -> bytes:
    """Tags of an Iridium message; without a place among them, the network's guess stands in.

    Raises DecodeError if they are no tags.
    """
    walk = Walk(content)
    found = set()
    while walk.left:
        tag = walk.look()
        found.add(tag)
        _walk_value(walk, tag)
    if tags.PLACE in found:
        return content
    flags, lat, lat_thousandths, lon, lon_thousandths = _GUESS.unpack_from(payload, _GUESS_AT)
    place = [lat * 1_000_000 + lat_thousandths * 1_000 // 60,
             lon * 1_000_000 + lon_thousandths * 1_000 // 60]  # fmt: skip
    signed = [-part if flags >> bit & 1 else part for part, bit in zip(place, (1, 0), strict=True)]
    if tags.TIME not in found:
        (seconds,) = _SESSION_TIME.unpack_from(payload, _SESSION_TIME_AT)
        content += struct.pack("<BI", tags.TIME, seconds)
    return content + struct.pack("<BBii", tags.PLACE, _FROM_STATIONS, *signed)


_GUESS: Final = struct.Struct(">BBHBH")
_GUESS_AT: Final = 37
_SESSION_TIME: Final = struct.Struct(">I")
_SESSION_TIME_AT: Final = 30
_FROM_STATIONS: Final = 2 << 4

_KINDS: Final = {
    "tags": Kind(_walk_record, _meaning),
    "compressed": Kind(_walk_compressed_record, _compressed_meaning),
}

GALILEO: Final = register(Codec(name="galileo", decode=decode, encode=encode))
