"""Codec "egts": packets of GOST R 54619 and 33472 with teledata (docs/codecs/egts.md).

    version 01, key, flags, header length, encoding, data length u16, number u16, type, CRC-8 |
    records | CRC-16/CCITT-FALSE u16

All numbers are little-endian, times count from 2010. Every EGTS_SR_POS_DATA of a record is a fix.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I64, Input, Quality
from devices.checks import check_size
from devices.codec import Codec, Decoded, register
from devices.crc8 import crc8_each
from devices.crc16 import CCITT_FALSE
from devices.errors import DecodeError, Reject
from devices.formats.egts.encoding import encode
from devices.formats.egts.head import APPDATA, DIGITAL, EPOCH_S, FULL, HEADER, RESPONSE, SIGNED
from devices.formats.egts.subrecords import (
    IMEI_BYTES,
    IMEI_KEY,
    POS_DATA,
    TERM_IDENTITY,
    Names,
    divided,
    walk_subrecord,
)
from devices.layouts import Kind, Meaning, Splits, Values, Walk, inputs_of, read
from devices.records import Records

SERVICES: Final = {1: "authentication", 2: "teledata", 4: "commands", 9: "firmware", 10: "eCall"}

_VERSION: Final = 1
_HEADERS: Final = (11, 16)
_CRC_BYTES: Final = 2
_ENCRYPTED: Final = 0x18
_COMPRESSED: Final = 0x04


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: packets cut one by one, positions as columns."""
    records = Records()
    splits = Splits(_split)

    def add(index: int, content: bytes, crc: int) -> None:
        payload = payloads[index]
        _check_crc(payload, crc)
        _add(content, payload[_SIZE_AT], payload[9] == SIGNED, index, splits, records)

    headed = records.each(lambda index: _check_size(payloads[index]), range(len(payloads)))
    heads = [payloads[index][: payloads[index][_SIZE_AT] - 1] for index in headed]
    crcs = crc8_each(heads)
    framed = records.each(lambda index, crc: _check_header(payloads[index], crc), headed, crcs)
    contents = [payloads[index][payloads[index][_SIZE_AT] : -_CRC_BYTES] for index in framed]
    records.each(add, framed, contents, CCITT_FALSE.of_each(contents))
    return read(records, _KINDS, received)


_SIZE_AT: Final = 3
"""Where a packet gives the length of its header."""


def _check_size(payload: bytes) -> None:
    """Check that there is a whole header."""
    check_size(payload)
    size = payload[_SIZE_AT] if len(payload) > _SIZE_AT else 0
    if payload[0] != _VERSION or (size and size not in _HEADERS):
        detail = f"expected version 01 and a header of 11 or 16 bytes, got {payload[:4].hex()}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    if not size or len(payload) < size:
        detail = f"expected a header of 11 or 16 bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)


def _check_header(payload: bytes, crc: int) -> None:
    """Check a header and the length, and that there are records to read."""
    size = payload[_SIZE_AT]
    _, _, flags, _, _, length, _, kind = HEADER.unpack_from(payload)
    if crc != payload[size - 1]:
        detail = f"header crc: expected {crc:02x}, got {payload[size - 1]:02x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=size - 1, detail=detail)
    whole = size + (length + _CRC_BYTES if length else 0)
    if len(payload) != whole:
        detail = f"length {length}: expected {whole} bytes, got {len(payload)}"
        if len(payload) < whole:
            raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
        raise DecodeError(Reject.TRAILING_BYTES, at=whole, detail=detail)
    if kind not in {APPDATA, SIGNED}:
        name = "a response" if kind == RESPONSE else "unknown"
        raise DecodeError(Reject.UNSUPPORTED, at=9, detail=f"packet type {kind} ({name})")
    if flags & (_ENCRYPTED | _COMPRESSED):
        detail = f"flags: expected neither encryption nor compression, got {flags:02x}"
        raise DecodeError(Reject.UNSUPPORTED, at=2, detail=detail)
    if not length:
        raise DecodeError(Reject.NO_CONTENT, at=5, detail="a packet without records")


def _check_crc(payload: bytes, crc: int) -> None:
    sent = payload[-1] << 8 | payload[-2]
    if sent != crc:
        detail = f"crc: expected {crc:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=len(payload) - _CRC_BYTES, detail=detail)


class _Span(NamedTuple):
    """A record: where its head, its object id and an IMEI are, and where its positions divide it.

    object_id, imei: -1 without one. parts: (start, end) of the subrecords of each position.
    """

    start: int
    body: int
    object_id: int
    imei: int
    service: int
    parts: tuple[tuple[int, int], ...]


def _add(
    content: bytes, at: int, signed: bool, index: int, splits: Splits, records: Records
) -> None:
    """Cut the content of a packet into its records, and these into positions."""
    if signed:
        skipped = 2 + int.from_bytes(content[:2], "little")
        content, at = content[skipped:], at + skipped
    try:
        spans: list[_Span] = splits.of(content)
    except DecodeError as error:
        raise DecodeError(error.reason, at=at + error.at, detail=error.detail) from None
    if not spans:
        raise DecodeError(Reject.NO_CONTENT, at=at, detail="a packet without records")
    ident = imei = ""
    for span in spans:
        if span.imei >= 0:
            digits = content[span.imei : span.imei + IMEI_BYTES].strip(b"\0 ")
            imei = digits.decode("ascii") if digits.isdigit() else ""
        if span.object_id >= 0:
            number = int.from_bytes(content[span.object_id : span.object_id + 4], "little")
            ident = str(number) if number else ""
        if not span.parts:
            name = SERVICES.get(span.service, "unknown")
            detail = f"a record of service {span.service} ({name}) without a position"
            refused = DecodeError(Reject.UNSUPPORTED, at=at + span.start, detail=detail)
            records.refuse(index, refused)
        head = content[span.start : span.body]
        for start, stop in span.parts:
            records.add(index, at + start, "position", head + content[start:stop], imei or ident)


def _split(walk: Walk) -> list[_Span]:
    spans = []
    while walk.left:
        start = walk.position
        length, service, object_id = _walk_head(walk)
        body, end = walk.position, walk.position + length
        if length > walk.left:
            detail = f"a record of {length} bytes reaches past the end"
            raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
        imei, places = -1, []
        names = Names()
        while walk.position < end:
            at = walk.position
            kind = walk_subrecord(walk, names, end)
            if kind == TERM_IDENTITY:
                imei = next((place for key, place, _ in walk.values if key == IMEI_KEY), -1)
            elif kind == POS_DATA:
                places.append(at)
        cuts = [body, *places[1:], end] if places else []
        parts = tuple(pairwise(cuts))
        spans.append(_Span(start, body, object_id, imei, service, parts))
    return spans


def _walk_head(walk: Walk) -> tuple[int, int, int]:
    """Walk a record to its subrecords: their length, its service, where its object id is or -1."""
    length = walk.look("<H")
    walk.skip(2)
    flags = walk.look()
    object_id = -1
    if flags & 1:
        object_id = walk.position
        walk.skip(4)
    if flags & 2:
        walk.value("event", "<u4")
    if flags & 4:
        walk.value("record_time", "<u4")
    service = walk.look()
    walk.skip(1)
    return length, service, object_id


def _walk_position(walk: Walk) -> None:
    _walk_head(walk)
    names = Names()
    while walk.left:
        walk_subrecord(walk, names, walk.position + walk.left)


def _meaning(values: Values) -> Meaning:
    flags, speed, inputs = values["flags"], values["speed"], values["inputs"]
    south, west = flags >> 5 & 1, flags >> 6 & 1
    columns: dict[str, Any] = {
        "time": (values["time"] + float(EPOCH_S)) * 1e6,
        "lat": values["lat"] / FULL * 90 * (1.0 - 2 * south),
        "lon": values["lon"] / FULL * 180 * (1.0 - 2 * west),
        "quality": np.where(flags & 1, 0, int(Quality.NO_POSITION)),
        "speed_kmh": (speed & 0x3FFF) / 10,
        "heading": values["direction"] + (speed >> 15) * 256.0,
        "odometer": values["odometer"] * 100,
        "inputs": inputs_of({
            Input.MOVEMENT: flags >> 4 & 1 > 0,
            **{bit: inputs >> number & 1 > 0 for number, bit in enumerate(DIGITAL)},
        }),
    }  # fmt: skip
    if "altitude" in values:
        below = speed >> 14 & 1
        columns["altitude"] = values["altitude"] * (1.0 - 2 * below)
    if "hdop" in values:
        columns["hdop"] = values["hdop"] / 100
    if "satellites" in values:
        columns["satellites"] = values["satellites"]
    extra: dict[str, Any] = {"flags": flags, "inputs": inputs}
    for name, column in values.items():
        if name not in _COLUMNS:
            if column.dtype.kind == "V":
                extra[name] = [raw.hex() for raw in column.tolist()]
            else:
                scale = divided(name)
                extra[name] = column / scale if scale > 1 else column
    if "record_time" in values:
        extra["record_time"] = values["record_time"] + np.int64(EPOCH_S)
    return Meaning(columns, extra)


_COLUMNS: Final = frozenset({
    "time", "lat", "lon", "flags", "speed", "direction", "odometer", "inputs", "altitude", "hdop",
    "satellites", "received", "record_time",
})  # fmt: skip

_KINDS: Final = {"position": Kind(_walk_position, _meaning)}

EGTS: Final = register(Codec(name="egts", decode=decode, encode=encode))
