"""How fast are NMEA sentences decoded? Baseline: pynmea2, sentence by sentence.

Ours makes checked fixes of them, pairs of RMC and GGA put together. The baseline parses each
sentence, checksum included, and reads the values that a fix has: pynmea2 converts some of them when
they are asked for. `more` has the baseline without that.
"""

import numpy as np
import pynmea2

from benchmarks.report import Result, rate, rates, run
from devices.batch import FixBatch
from devices.catalogue import codec

RECEIVED_US = 1_760_000_000_000_000
SENTENCES_A_FIX = 2


def payloads(n: int) -> list[bytes]:
    """N payloads of one fix each: RMC and GGA."""
    rng = np.random.default_rng(1)
    encode = codec("nmea").encode
    assert encode is not None
    fixes = FixBatch.blank(
        n,
        time=RECEIVED_US - 1_000_000 * (np.arange(n) % 60),
        lon=102 + 8 * rng.random(n),
        lat=8 + 15 * rng.random(n),
        speed_kmh=rng.integers(0, 90, n),
        heading=rng.integers(0, 360, n),
        altitude=rng.integers(0, 900, n),
        hdop=np.full(n, 0.9),
        satellites=np.full(n, 9),
    )
    return encode(fixes, [""] * n, [])


def read_values(sentence: str) -> tuple[object, ...]:
    """The values of one sentence that a fix is made of, as pynmea2 gives them."""
    said = pynmea2.parse(sentence, check=True)
    if said.sentence_type == "RMC":
        return (
            said.datetime, said.longitude, said.latitude, said.status, said.spd_over_grnd,
            said.true_course,
        )  # fmt: skip
    return said.altitude, said.horizontal_dil, said.num_sats, said.gps_qual


def measure(quick: bool) -> Result:
    """Decode payloads of RMC and GGA into a FixBatch."""
    batch = payloads(4096)
    received = np.full(len(batch), RECEIVED_US, np.int64)
    sentences = [line for payload in batch for line in payload.decode().splitlines()]
    decode = codec("nmea").decode

    def ours() -> int:
        decoded = decode(batch, received)
        assert not decoded.refusals
        assert len(decoded.fixes) * SENTENCES_A_FIX == len(sentences)
        return len(sentences)

    def baseline() -> int:
        return len([read_values(sentence) for sentence in sentences])

    def parsed_only() -> int:
        return len([pynmea2.parse(sentence, check=True) for sentence in sentences])

    repeats = 5 if quick else 30
    return Result(
        "NMEA sentences into arrays", "sentences/s", *rates(ours, baseline, repeats),
        "pynmea2.parse of each sentence, and its values read",
        {"pynmea2.parse alone, sentences/s": round(rate(parsed_only, repeats))},
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
