"""Writing the JSON of the JT/T 808 gateway, for simulators and tests: single locations (0200)."""

from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

import msgspec

from devices.batch import FixBatch
from devices.formats.jt808.encoding import LOCATION, bodies, number
from devices.formats.jt808.items import MILEAGE, SATELLITES, layout
from devices.formats.jt808.location import FIXED

_FIXED: Final = Struct(">IIIIHHH6s")
_NAMES: Final = (
    "alarm", "status", "latitude", "longitude", "altitude", "speed", "direction", "time",
)  # fmt: skip
_ITEMS: Final = {MILEAGE: "mileage", SATELLITES: "gnss_sat_num"}
_ENCODER: Final = msgspec.json.Encoder()


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message per fix, as the gateway makes it of a 0200 of 2013; drivers have no place."""
    del drivers
    out = []
    for row, (body, ident) in enumerate(zip(bodies(fixes), idents, strict=True)):
        values: dict[str, Any] = dict(zip(_NAMES, _FIXED.unpack_from(body), strict=True))
        values["time"] = values["time"].hex()
        extra = {
            _ITEMS[kind, size]: int.from_bytes(body[at : at + size])
            for kind, size, at in layout(body, FIXED.itemsize) or ()
        }
        if extra:
            values["extra"] = extra
        header = {
            "msg_id": LOCATION, "encrypt": 0, "len": len(body),
            "phone": number(ident, is_2019=False).hex(), "msg_sn": row & 0xFFFF,
        }  # fmt: skip
        out.append(_ENCODER.encode({"header": header, "body": values}))
    return out
