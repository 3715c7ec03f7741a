"""Codec "osmand": what OsmAnd and the phone clients of its kind send (docs/codecs/osmand.md).

A query string, alone or as part of a request:

    id=..&lat=..&lon=..&timestamp=..&speed=.. (knots)&bearing=..&altitude=..&accuracy=..&batt=..

or the JSON of newer clients, {"location": {"timestamp", "coords": {...}}, "device_id"} with metres
per second; one object or an array, "location" one object or an array as well.
"""

import re
from collections.abc import Sequence
from itertools import repeat
from typing import Final
from urllib.parse import urlencode

import numpy as np

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, register
from devices.formats.osmand import locations, queries
from devices.formats.osmand.query_kernel import as_json
from devices.json_columns import decode_columns
from devices.merging import merged, renumbered
from devices.messages import known, spoken
from devices.rows import FixRows
from devices.units import KNOT_KMH

_REQUEST: Final = re.compile(rb"(GET|POST|PUT) (\S*)( HTTP/[0-9.]+)?(?=\r?\n|$)")
_JSON: Final = (b"{", b"[")


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of query strings, requests or JSON."""
    is_json = np.fromiter(map(bytes.startswith, payloads, repeat(_JSON)), np.bool_, len(payloads))
    if not is_json.any():
        return _decode_queries(payloads, received)
    if is_json.all():
        return _decode_json(payloads, received)
    parts = []
    for decode_some, some in ((_decode_queries, ~is_json), (_decode_json, is_json)):
        rows = np.flatnonzero(some).tolist()
        made = decode_some([payloads[row] for row in rows], received[some])
        parts.append(renumbered(made, rows))
    return merged(parts)


def _decode_queries(payloads: Sequence[bytes], received: I64) -> Decoded:
    return decode_columns(payloads, received, queries.SHAPE, queries.say, read, as_json(payloads))


def _decode_json(payloads: Sequence[bytes], received: I64) -> Decoded:
    return decode_columns(payloads, received, locations.SHAPE, locations.say, read)


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload of any kind."""
    text = payload.strip()
    request = _REQUEST.match(text)
    if request:
        body = re.split(rb"\r?\n\r?\n", text, maxsplit=1)[1:]
        text = (
            request[2] + b"&" + body[0].strip()
            if body and b"?" in request[2]
            else (body[0].strip() if body and body[0].strip() else request[2])
        )
    if text.startswith(_JSON):
        locations.read_messages(text, rows)
    else:
        queries.read_query(text, rows)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One query string per fix; the inputs that have no parameter are left out."""
    keys = {name: key for key, name in queries.INPUTS.items()}
    out = []
    for fix, ident in zip(spoken(fixes, drivers), idents, strict=True):
        values = known({
            "id": ident,
            "lat": fix.lat,
            "lon": fix.lon,
            "timestamp": fix.time_us // 1_000_000,
            "speed": None if fix.speed_kmh is None else round(fix.speed_kmh / KNOT_KMH, 4),
            "bearing": fix.heading,
            "altitude": fix.altitude,
            "hdop": fix.hdop,
            "sat": fix.satellites,
            "odometer": fix.odometer,
            "driverUniqueId": fix.driver,
            "valid": "false" if fix.lost else None,
        })  # fmt: skip
        values |= {keys[name]: str(on).lower() for name, on in fix.inputs.items() if name in keys}
        values = {**{key: v for key, v in fix.extra.items() if key not in values}, **values}
        out.append(f"?{urlencode(values, doseq=True)}".encode())
    return out


OSMAND: Final = register(Codec(name="osmand", decode=decode, encode=encode))
