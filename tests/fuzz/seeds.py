"""What fuzzing of a codec begins with: its vectors, and what its encoder writes."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from devices.batch import FixBatch, Input, WeighingBatch, inputs_word
from devices.catalogue import codec

VECTORS = Path(__file__).parents[1] / "devices" / "vectors"
NOW_US = 1_767_614_400_000_000


def seeds(name: str) -> Iterator[bytes]:
    """Payloads of a codec, good and bad."""
    for line in (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        yield bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()
    chosen = codec(name)
    if chosen.encode:
        yield from chosen.encode(fixes(), ["139123456789"] * 2, ["480123456789"])
    if chosen.encode_weighings:
        yield from chosen.encode_weighings(weighing())


def fixes() -> FixBatch:
    """Two fixes, one with all that is known and one with the least."""
    return FixBatch.blank(
        2, time=[NOW_US, NOW_US - 1_000_000], received=[NOW_US] * 2, lon=[105.8542, -70.5],
        lat=[21.0285, -33.5], speed_kmh=[42, np.nan], heading=[275, np.nan], altitude=[12, np.nan],
        hdop=[0.9, np.nan], satellites=[11, 255], odometer=[123_456, np.nan], driver=[0, -1],
        inputs=[inputs_word({Input.IGNITION: True, Input.DIN_1: False}), 0],
    )  # fmt: skip


def weighing() -> WeighingBatch:
    """One vehicle of two axles."""
    return WeighingBatch(
        station=("QL5-KM78",),
        plate=("29C12345",),
        time=np.array([NOW_US]),
        received=np.array([NOW_US]),
        lane=np.array([2], np.int16),
        gross_kg=np.array([15_000.0]),
        speed_kmh=np.array([36.5], np.float32),
        length_m=np.array([8.9], np.float32),
        axle_start=np.array([0, 2]),
        axle_kg=np.array([5_000.0, 10_000.0]),
        axle_spacing_m=np.array([np.nan, 3.9]),
    )
