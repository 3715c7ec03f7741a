"""How fast are json payloads decoded, one fix each? Baseline: json.loads and a dict per fix."""

import json

import numpy as np

from benchmarks.report import Result, rates, run
from devices.catalogue import codec

RECEIVED_US = 1_760_000_000_000_000


def payloads(n: int) -> list[bytes]:
    rng = np.random.default_rng(1)
    lon, lat = 102 + 8 * rng.random(n), 8 + 15 * rng.random(n)
    return [
        json.dumps(
            {
                "time": RECEIVED_US // 10**6 - i % 60,
                "lat": round(lat[i], 6),
                "lon": round(lon[i], 6),
                "speed_kmh": i % 90,
                "heading": i % 360,
                "driver": f"79{i % 500:010d}",
                "inputs": {"ignition": True},
            }
        ).encode()
        for i in range(n)
    ]


def measure(quick: bool) -> Result:
    """Decode single-fix json payloads into a FixBatch."""
    batch = payloads(4096)
    received = np.full(len(batch), RECEIVED_US, np.int64)
    decode = codec("json").decode

    def ours() -> int:
        decoded = decode(batch, received)
        assert not decoded.refusals
        return len(decoded.fixes)

    def baseline() -> int:
        return len([json.loads(payload) for payload in batch])

    repeats = 5 if quick else 50
    return Result(
        "json payloads into arrays", "fixes/s", *rates(ours, baseline, repeats),
        "json.loads into dicts, no arrays, no checks",
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
