"""How fast is each codec decoded, one fix a payload? Baseline: json.loads and a dict per fix."""

import argparse
import json
import sys
from collections.abc import Sequence
from uuid import UUID

import numpy as np

from benchmarks.report import Rate, Result, rates
from devices.batch import FixBatch, Input, inputs_word
from devices.catalogue import CODECS, codec
from devices.codec import Decoder
from devices.each_fix import Fix, each_fix
from devices.formats.osmand.locations import MPS_KMH
from devices.formats.teltonika.encoding import MAX_RECORDS, encode_packet

RECEIVED_US = 1_767_614_400_000_000
PAYLOADS = 4096
FULL = "teltonika, full packets"
PHONES = "osmand, JSON of phones"


def fixes(n: int) -> FixBatch:
    """A fleet on the move, each with everything that most trackers send."""
    rng = np.random.default_rng(1)
    ignition = inputs_word({Input.IGNITION: True})
    return FixBatch.blank(
        n,
        time=RECEIVED_US - 1_000_000 * rng.integers(0, 60, n),
        received=np.full(n, RECEIVED_US),
        lon=np.round(102 + 8 * rng.random(n), 6),
        lat=np.round(8 + 15 * rng.random(n), 6),
        speed_kmh=rng.integers(0, 90, n),
        heading=rng.integers(0, 360, n),
        altitude=rng.integers(0, 900, n),
        hdop=rng.integers(5, 30, n) / 10,
        satellites=rng.integers(4, 20, n),
        odometer=rng.integers(0, 10**8, n),
        driver=rng.integers(0, 500, n),
        inputs=np.full(n, ignition),
    )


def payloads(name: str, sent: FixBatch) -> list[bytes]:
    """The fixes as payloads of a codec, one each; or as packets of all that one can hold."""
    if name == FULL:
        starts = range(0, len(sent), MAX_RECORDS)
        return [encode_packet(sent.take(np.arange(len(sent))[s : s + MAX_RECORDS])) for s in starts]
    idents = [f"1392345{number % 50_000:05d}" for number in range(len(sent))]
    if name == PHONES:
        return [of_phone(fix, ident) for fix, ident in zip(each_fix(sent), idents, strict=True)]
    encode = CODECS[name].encode
    assert encode
    return encode(sent, idents, [f"79{number:010d}" for number in range(500)])


def of_phone(fix: Fix, ident: str) -> bytes:
    """A fix as newer clients of osmand send it, with all that they know of it."""
    coords = {
        "latitude": fix.lat, "longitude": fix.lon, "accuracy": 4.8,
        "speed": round(fix.speed_kmh / MPS_KMH, 2), "speed_accuracy": 0.5,
        "heading": fix.heading, "heading_accuracy": 12.5,
        "altitude": fix.altitude, "altitude_accuracy": 3.2,
    }  # fmt: skip
    location = {
        "extras": {},
        "timestamp": f"{np.datetime64(fix.time_us // 1000, 'ms')}Z",
        "event": "motionchange",
        "is_moving": True,
        "uuid": str(UUID(int=fix.time_us << 64 | int(fix.odometer))),
        "age": 516,
        "odometer": fix.odometer / 10,
        "coords": coords,
        "activity": {"type": "in_vehicle", "confidence": 100},
        "battery": {"level": 0.87, "is_charging": False},
    }
    message = {"location": location, "device_id": ident}
    return json.dumps(message, separators=(",", ":")).encode()


def measure(name: str, repeats: int) -> Result:
    """Decode payloads of a codec into a FixBatch, and those of json into dicts, in turn."""
    sent = fixes(PAYLOADS)
    batch, dicts = payloads(name, sent), payloads("json", sent)
    received = np.full(len(batch), RECEIVED_US, np.int64)
    decode: Decoder = codec(name.partition(",")[0]).decode

    def ours() -> int:
        decoded = decode(batch, received)
        assert not decoded.refusals
        return len(decoded.fixes)

    def baseline() -> int:
        return len([json.loads(payload) for payload in dicts])

    ours()
    return Result(
        name, "fixes/s", *rates(ours, baseline, repeats), "json.loads of json payloads into dicts",
        {"payload_bytes": round(sum(map(len, batch)) / len(batch))},
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    names = [name for name, one in sorted(CODECS.items()) if one.encode] + [FULL, PHONES]
    parser = argparse.ArgumentParser(prog="benchmarks.decode", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, for a first look")
    parser.add_argument("--json", action="store_true", help="print one JSON object a codec")
    parser.add_argument("--codec", choices=names, action="append", help="only this one")
    chosen = parser.parse_args(arguments)
    if not chosen.json:
        print(f"{'codec':24} {'fixes/s':>12} {'slowest to fastest':>24} {'ratio':>7} {'bytes':>6}")
    for name in chosen.codec or names:
        result = measure(name, 5 if chosen.quick else 31)
        if chosen.json:
            print(json.dumps(result.as_json()), flush=True)
            continue
        assert isinstance(result.ours, Rate)
        spread = f"{result.ours.slowest:,.0f} to {result.ours.fastest:,.0f}"
        print(
            f"{name:24} {result.ours:12,.0f} {spread:>24} {result.ratio:7.2f} "
            f"{result.more['payload_bytes']:>6}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
