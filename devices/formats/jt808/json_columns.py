"""JT/T 808 in JSON: payloads of one location of the usual shape, read as columns.

The shape is that of the structures below, with no other key anywhere; whatever does not fit is
left to `json_messages`.
"""

from collections.abc import Sequence
from math import nan
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from devices.batch import I64
from devices.checks import assemble, check_size
from devices.codec import Decoded
from devices.columns import instants, pairs
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes
from devices.formats.jt808.items import MILEAGE_UNIT_M
from devices.formats.jt808.json_items import read_items
from devices.formats.jt808.meaning import SOUTH, TIME_ZONE_US, WEST, Said, said
from devices.json_input import JSON_ERRORS
from devices.merging import renumbered
from devices.texts import Names

_U8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
_U16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
_U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
_DIGITS = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}\Z")]
_TIME = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
        r"|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
        r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]\Z"
    ),
]
"""yymmddhhmmss of a date that there is in every year."""


class _Header(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    msg_id: _U16
    phone: _DIGITS
    encrypt: _U16 = 0
    length: _U16 = msgspec.field(default=0, name="len")
    msg_sn: _U16 = 0
    proto_ver: _U8 = 0


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    alarm: _U32
    status: _U32
    latitude: _U32
    longitude: _U32
    altitude: _U16
    speed: _U16
    direction: _U16
    time: _TIME
    extra: dict[str, Any] | None = None


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Items that need no more than their places changed, as long as they are ordinary numbers."""

    mileage: _U32 | msgspec.UnsetType = msgspec.UNSET
    gnss_sat_num: _U8 | msgspec.UnsetType = msgspec.UNSET
    rssi: _U8 | msgspec.UnsetType = msgspec.UNSET


class _UsualBody(_Body, forbid_unknown_fields=True, gc=False):
    extra: _Usual | None = None  # type: ignore[assignment]  # narrower than any object


class _UsualMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    header: _Header
    body: _UsualBody


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    header: _Header
    body: _Body


LOCATION: Final = 0x0200

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Message)
_USUAL: Final = msgspec.json.Decoder(_UsualMessage)


def decode_columns(payloads: Sequence[bytes], received: I64) -> tuple[Decoded, list[int]]:
    """What can be read as columns, and the numbers of the payloads that are left, ascending."""
    taken: list[int] = []
    left: list[int] = []
    rows: list[tuple[int, ...]] = []
    times: list[bytes] = []
    idents: list[str] = []
    odometer: list[float] = []
    satellites: list[float] = []
    extra: dict[int, bytes] = {}
    for index, payload in enumerate(payloads):
        try:
            message = _read(payload)
            body, header = message.body, message.header
            meaning = said(body.alarm, body.status, header.proto_ver > 0)
            metres, satellite_count, extra[len(taken)] = _items(body.extra, meaning)
        except (DecodeError, *JSON_ERRORS):
            left.append(index)
            continue
        taken.append(index)
        rows.append((
            body.status, body.latitude, body.longitude, body.altitude, body.speed,
            body.direction, meaning.inputs, meaning.quality,
        ))  # fmt: skip
        times.append(body.time.encode())
        idents.append(header.phone.lstrip("0"))
        odometer.append(metres)
        satellites.append(satellite_count)
    table = np.array(rows, np.int64).reshape(len(rows), 8)
    names = Names()
    made = assemble(
        _columns(table, times) | {"odometer": odometer, "satellites": satellites},
        payload=range(len(taken)),
        at=[0] * len(taken),
        received=received[taken],
        extra=extra,
        ident=names.numbers(idents),
        idents=names.known(),
    )
    return renumbered(made, taken), left


def _read(payload: bytes) -> _Message | _UsualMessage:
    """The message, if it is a location of the usual shape. Raises DecodeError or JSON_ERRORS."""
    check_size(payload)
    message: _Message | _UsualMessage
    try:
        message = _USUAL.decode(payload)
    except msgspec.ValidationError:
        message = _DECODER.decode(payload)
    if message.header.msg_id != LOCATION:
        raise DecodeError(Reject.UNSUPPORTED, detail="read one by one")
    return message


def _items(sent: _Usual | dict[str, Any] | None, meaning: Said) -> tuple[float, float, bytes]:
    """Odometer, satellites and the extra of a fix. Raises DecodeError."""
    if isinstance(sent, _Usual):
        extra = meaning.extra
        return (
            nan if sent.mileage is msgspec.UNSET else float(sent.mileage * MILEAGE_UNIT_M),
            nan if sent.gnss_sat_num is msgspec.UNSET else sent.gnss_sat_num,
            _ENCODER.encode(
                extra if sent.rssi is msgspec.UNSET else {**extra, "signal": sent.rssi}
            ),
        )
    items = read_items(sent or {})
    return items.odometer, items.satellites, extra_bytes({**meaning.extra, **items.extra})


def _columns(table: I64, times: Sequence[bytes]) -> dict[str, Any]:
    """Columns of a table of status, latitude, ..., quality, shape (n, 8)."""
    status, lat_e6, lon_e6, altitude, speed, course, inputs, quality = table.T
    lat, lon = lat_e6.astype(np.int32) / 1e6, lon_e6.astype(np.int32) / 1e6
    when = pairs(times, 12)
    return {
        "time": instants(*(when[:, column] for column in range(6))) - TIME_ZONE_US,
        "lon": np.where(status & WEST, -np.abs(lon), lon),
        "lat": np.where(status & SOUTH, -np.abs(lat), lat),
        "speed_kmh": speed / 10,
        "heading": course,
        "altitude": altitude.astype(np.int16),
        "inputs": inputs,
        "quality": quality,
    }
