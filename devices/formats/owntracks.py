"""Codec "owntracks": the JSON of the OwnTracks apps (docs/codecs/owntracks.md).

Only `_type` location carries a fix; one object or an array. Numbers may be written as text.
"""

from collections.abc import Sequence
from math import isnan, nan
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.extra import extra_values
from devices.json_input import as_object, number, read_objects, required_number, seconds_us
from devices.rows import FixRows, decode_each, read_each

_ENCODER: Final = msgspec.json.Encoder()


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, element by element."""
    return decode_each(payloads, received, _read)


def _read(payload: bytes, rows: FixRows) -> None:
    read_each(read_objects(payload), _add, rows)


def _add(element: Any, at: int, rows: FixRows) -> None:
    values = as_object(element)
    kind = values.pop("_type", None)
    if kind != "location":
        if kind is None:
            raise DecodeError(Reject.MISSING_FIELD, detail="_type: expected location, got nothing")
        detail = f"_type: expected location, got {kind!r:.40}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    rows.add(
        seconds_us(values, "tst"),
        required_number(values, "lon"),
        required_number(values, "lat"),
        at=at,
        speed_kmh=_measured(values, "vel"),
        heading=_measured(values, "cog"),
        altitude=number(values, "alt"),
        extra=values,
    )


def _measured(values: dict[str, Any], key: str) -> float:
    """A speed or course; the iOS app says -1 for unknown."""
    value = number(values, key)
    return nan if value == -1 else value


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One location per fix; idents, drivers and inputs have no place in it."""
    del idents, drivers
    seconds = fixes.time // 1_000_000
    columns = zip(
        seconds.tolist(), fixes.lat.tolist(), fixes.lon.tolist(),
        np.round(fixes.speed_kmh).tolist(), np.round(fixes.heading).tolist(),
        np.round(fixes.altitude).tolist(), strict=True,
    )  # fmt: skip
    out = []
    for row, (tst, lat, lon, vel, cog, alt) in enumerate(columns):
        location: dict[str, Any] = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        location |= {"_type": "location", "tst": tst, "lat": lat, "lon": lon}
        whole = (("vel", vel), ("cog", cog), ("alt", alt))
        location.update((name, int(value)) for name, value in whole if not isnan(value))
        out.append(_ENCODER.encode(location))
    return out


OWNTRACKS: Final = register(Codec(name="owntracks", decode=decode, encode=encode))
