"""What a codec is, and the table of codecs.

A codec is a module with a decoder and an encoder, registered by name. It is given whole MQTT
publishes (no stream framing) and never raises for bad bytes: what it cannot read comes back as a
`Refusal`, beside whatever it could read from the same payload.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from devices.batch import I32, I64, FixBatch, WeighingBatch
from devices.errors import CodecNotFoundError, DecodeError, Reject
from devices.texts import printable

MAX_PAYLOAD_BYTES: Final = 1 << 20
"""A publish larger than this is refused unread: the largest real one (a Teltonika packet of 255
records, a day of UFMS way-points in one batch) is far below a mebibyte."""

EARLIEST_FIX_US: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z. Receivers without a fix report 1970 or 1980; no fix is older than this."""

LATEST_AHEAD_US: Final = 86_400_000_000
"""A fix more than a day ahead of its arrival is no clock drift but a wrong date: refused. Smaller
leads are kept and marked `future` (docs/rules.md, section 9)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A payload, or a part of one, that was refused. `payload` is its index in the call."""

    payload: int
    reason: Reject
    at: int
    detail: str

    @classmethod
    def of(cls, payload: int, error: DecodeError) -> "Refusal":
        """The refusal that records a DecodeError; its detail is made fit to be stored and shown."""
        return cls(payload, error.reason, error.at, printable(error.detail))


@dataclass(frozen=True, slots=True)
class Registration:
    """A master-data message of a feed (UFMS RegVehicle, RegDriver, RegCompany).

    `kind` is "vehicle", "driver" or "company"; `values` holds the message's fields by their names
    in docs/codecs.md.
    """

    payload: int
    kind: Literal["vehicle", "driver", "company"]
    values: dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of a sequence of payloads.

    fixes: n rows in the order of the payloads; `vehicle` is -1 throughout; `driver` indexes
        `drivers` (-1: the fix names none).
    fix_payload: shape (n,), the index of the payload that each fix came from, ascending.
    idents: identities that payloads carry inside themselves (plates, IMEIs), without repeats.
    fix_ident: shape (n,), index into `idents`, -1 where the payload carries none.
    weighing_payload: the same as fix_payload for `weighings`.
    refusals: in payload order; a payload may have fixes and refusals both.
    """

    fixes: FixBatch
    fix_payload: I32
    idents: tuple[str, ...] = ()
    fix_ident: I32 = field(default_factory=lambda: np.empty(0, np.int32))
    drivers: tuple[str, ...] = ()
    weighings: WeighingBatch = field(default_factory=WeighingBatch.empty)
    weighing_payload: I32 = field(default_factory=lambda: np.empty(0, np.int32))
    registrations: tuple[Registration, ...] = ()
    refusals: tuple[Refusal, ...] = ()


Decoder = Callable[[Sequence[bytes], I64], Decoded]
"""(payloads, received): payloads of one codec, and when each arrived (int64 microseconds,
shape (len(payloads),)). `received` is copied to the fixes and bounds their times."""

Encoder = Callable[[FixBatch, Sequence[str], Sequence[str]], list[bytes]]
"""(fixes, idents, drivers): one payload per row of `fixes`. `idents[i]` is the identity that row i
carries inside the payload where the format has a place for it; `fixes.driver` indexes `drivers`."""

WeighingEncoder = Callable[[WeighingBatch], list[bytes]]


@dataclass(frozen=True, slots=True)
class Codec:
    """One wire format.

    identity: "topic": the device is the one that the topic names, and an identity inside the
        payload must be the same; "plate": fixes name the vehicle's plate inside, and the topic
        names the provider.
    carries: what the codec's payloads hold.
    """

    name: str
    decode: Decoder
    identity: Literal["topic", "plate"] = "topic"
    carries: Literal["fixes", "weighings"] = "fixes"
    encode: Encoder | None = None
    encode_weighings: WeighingEncoder | None = None


CODECS: Final[dict[str, Codec]] = {}


def register(codec: Codec) -> Codec:
    """Add a codec to the table. Two codecs of one name are an error."""
    if codec.name in CODECS:
        known = CODECS[codec.name].decode.__module__
        raise RuntimeError(
            f"codec {codec.name!r} is registered twice: {known}, {codec.decode.__module__}"
        )
    CODECS[codec.name] = codec
    return codec


def codec(name: str) -> Codec:
    """The codec of that name. Raises CodecNotFoundError."""
    try:
        return CODECS[name]
    except KeyError:
        raise CodecNotFoundError(
            f"codec {name!r}: expected one of {', '.join(sorted(CODECS))}"
        ) from None
