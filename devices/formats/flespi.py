"""Codec "flespi": the normalised JSON messages of the flespi platform (docs/codecs/flespi.md).

One object or an array of parameters with dots in their names: "position.latitude", "din.1". The
parameters and their units are those of flespi's documentation of messages.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from devices.batch import I64, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.input_names import OFF, ON
from devices.json_input import (
    as_object,
    identity,
    number,
    read_objects,
    required_number,
    seconds_us,
    switch,
    switches,
)  # fmt: skip
from devices.messages import Row, decode_messages, known, spoken
from devices.rows import FixRows, read_each

_DECODER: Final = msgspec.json.Decoder(list[dict[str, Any]] | dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()

INPUTS: Final = {
    "engine.ignition.status": "ignition",
    "movement.status": "movement",
    "door.open.status": "door",
    "battery.charging.status": "charging",
    "din.1": "din_1",
    "din.2": "din_2",
    "din.3": "din_3",
    "din.4": "din_4",
}
"""Parameters that are an input; each true or false."""

MAINS: Final = "external.powersource.status"
"""Whether external power is there: the opposite of a power cut."""

_SCALE: Final = {"time": 1e6, "odometer": 1000.0}  # seconds; kilometres
_WORDS: Final = [
    (key, {None: 0, True: ON[name], False: OFF[name]}) for key, name in INPUTS.items()
] + [(MAINS, {None: 0, True: OFF["power_cut"], False: ON["power_cut"]})]  # fmt: skip


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of messages."""
    return decode_messages(payloads, received, _shape, read, _SCALE)


def _shape(payload: bytes) -> Sequence[Row]:
    found = _DECODER.decode(payload)
    return [_row(found)] if type(found) is dict else [_row(values) for values in found]


def _row(values: dict[str, Any]) -> Row:
    take = values.pop
    word = 0
    for key, words in _WORDS:
        if key in values:
            state = take(key)
            if type(state) is not bool:
                raise TypeError
            word |= words[state]
    valid = take("position.valid", True)
    if type(valid) is not bool:
        raise TypeError
    return (
        take("timestamp"), take("position.longitude"), take("position.latitude"),
        take("position.speed", None), take("position.direction", None),
        take("position.altitude", None), take("position.hdop", None),
        take("position.satellites", None), take("vehicle.mileage", None),
        take("ident", None), None, word, not valid, values,
    )  # fmt: skip


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    read_each(read_objects(payload), _add, rows)


def _add(element: Any, at: int, rows: FixRows) -> None:
    values = as_object(element, "message")
    if values.get("position.latitude") is None and values.get("position.longitude") is None:
        raise DecodeError(Reject.UNSUPPORTED, detail="a message without a position")
    inputs = switches(values, INPUTS)
    mains = switch(values, MAINS)
    if mains is not None:
        inputs |= OFF["power_cut"] if mains else ON["power_cut"]
    rows.add(
        seconds_us(values, "timestamp"),
        required_number(values, "position.longitude"),
        required_number(values, "position.latitude"),
        at=at,
        speed_kmh=number(values, "position.speed"),
        heading=number(values, "position.direction"),
        altitude=number(values, "position.altitude"),
        hdop=number(values, "position.hdop"),
        satellites=number(values, "position.satellites"),
        odometer=number(values, "vehicle.mileage") * 1000,
        ident=identity(values, "ident"),
        inputs=inputs,
        quality=Quality.NO_POSITION if switch(values, "position.valid") is False else 0,
        extra=values,
    )


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message per fix; drivers and the inputs that flespi has no parameter for are left out."""
    keys = {name: key for key, name in INPUTS.items()}
    out = []
    for fix, ident in zip(spoken(fixes, drivers), idents, strict=True):
        message = known({
            "ident": ident,
            "timestamp": fix.time_us / 1e6,
            "position.latitude": fix.lat,
            "position.longitude": fix.lon,
            "position.altitude": fix.altitude,
            "position.direction": fix.heading,
            "position.speed": fix.speed_kmh,
            "position.satellites": fix.satellites,
            "position.hdop": fix.hdop,
            "vehicle.mileage": None if fix.odometer is None else fix.odometer / 1000,
            "position.valid": not fix.lost,
        })  # fmt: skip
        for name, state in fix.inputs.items():
            if name in keys:
                message[keys[name]] = state
            elif name == "power_cut":
                message[MAINS] = not state
        out.append(_ENCODER.encode({**fix.extra, **message}))
    return out


FLESPI: Final = register(Codec(name="flespi", decode=decode, encode=encode))
