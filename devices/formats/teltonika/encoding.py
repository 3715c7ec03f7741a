"""Writing Teltonika AVL data packets of Codec 8 and 8 Extended, for simulators and tests."""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isnan
from struct import Struct
from typing import Any, Final

from devices.batch import FixBatch, Input, inputs_states
from devices.crc16 import crc16_ibm_each
from devices.each_fix import each_fix
from devices.errors import EncodeError
from devices.extra import extra_values
from devices.formats.teltonika.elements import elements

CODEC_8: Final = 0x08
CODEC_8E: Final = 0x8E
MAX_RECORDS: Final = 255

_FIXED: Final = Struct(">QBiihHBH")
_FRAME: Final = Struct(">II")
_CRC: Final = Struct(">I")
_SIZES: Final = (1, 2, 4, 8)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One Codec 8 Extended packet of one record per fix; idents and drivers have no place in it."""
    del idents, drivers
    parts = [bytes((CODEC_8E, 1)) + record + b"\1" for record in _records(fixes, CODEC_8E)]
    return _framed(parts)


def encode_packet(fixes: FixBatch, *, codec: int = CODEC_8E) -> bytes:
    """All fixes (1 to 255) as one packet of Codec 8 or 8 Extended."""
    if not 1 <= len(fixes) <= MAX_RECORDS:
        raise EncodeError(f"teltonika: records: expected 1..{MAX_RECORDS}, got {len(fixes)}")
    count = bytes((len(fixes),))
    return _framed([bytes((codec,)) + count + b"".join(_records(fixes, codec)) + count])[0]


def _framed(parts: list[bytes]) -> list[bytes]:
    return [
        _FRAME.pack(0, len(part)) + part + _CRC.pack(crc)
        for part, crc in zip(parts, crc16_ibm_each(parts), strict=True)
    ]


def _records(fixes: FixBatch, codec: int) -> list[bytes]:
    if codec not in {CODEC_8, CODEC_8E}:
        raise EncodeError(f"teltonika: codec: expected 8 or 142, got {codec}")
    out = []
    for row, fix in enumerate(each_fix(fixes)):
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        io: dict[int, Any] = elements(_inputs(fix.inputs), fix.hdop, fix.odometer)
        for key, value in _sent_elements(extra).items():
            io.setdefault(key, value)
        try:
            fixed = _FIXED.pack(
                fix.time_us // 1000, int(extra.get("priority", 0)),
                round(fix.lon * 1e7), round(fix.lat * 1e7),
                _whole(fix.altitude), _whole(fix.heading),
                0 if fix.is_lost else fix.satellites, _whole(fix.speed_kmh),
            )  # fmt: skip
            out.append(fixed + _elements_bytes(int(extra.get("event", 0)), io, codec))
        except (struct.error, ValueError, TypeError, OverflowError) as error:
            raise EncodeError(f"teltonika: fix {row}: {error}") from None
    return out


@lru_cache(maxsize=4096)
def _inputs(word: int) -> Mapping[Input, bool]:
    return inputs_states(word)


def _whole(value: float) -> int:
    """The nearest whole number; the format has no way to say unknown and devices send 0."""
    return 0 if isnan(value) else round(value)


def _sent_elements(extra: dict[str, Any]) -> dict[int, Any]:
    io = extra.get("io")
    return {int(key): value for key, value in io.items()} if isinstance(io, dict) else {}


_U8: Final = Struct(">B")
_U16: Final = Struct(">H")
_VARIABLE: Final = Struct(">HH")


def _elements_bytes(event: int, io: dict[int, Any], codec: int) -> bytes:
    """The elements in groups by the smallest size that holds each; text is of variable length."""
    number = _U8 if codec == CODEC_8 else _U16
    sized: dict[int, list[bytes]] = {size: [] for size in _SIZES}
    variable: list[bytes] = []
    for element, value in io.items():
        if isinstance(value, str):
            text = bytes.fromhex(value)
            variable.append(_VARIABLE.pack(element, len(text)) + text)
            continue
        size = next((size for size in _SIZES if value < 1 << 8 * size), _SIZES[-1])
        sized[size].append(number.pack(element) + int(value).to_bytes(size, "big"))
    if variable and codec == CODEC_8:
        raise ValueError("Codec 8 has no elements of variable length")
    parts = [number.pack(event), number.pack(len(io))]
    for size in _SIZES:
        parts += [number.pack(len(sized[size])), *sized[size]]
    if codec == CODEC_8E:
        parts += [number.pack(len(variable)), *variable]
    return b"".join(parts)
