"""How fast are NMEA sentences decoded? Baseline: pynmea2, sentence by sentence.

Payloads of one RMC each. Ours makes checked fixes of 4,096 payloads at once, which is how the
worker decodes: bytes in, arrays out. The baseline parses each sentence, checksum included, and
reads the values that a fix has: pynmea2 converts some of them when they are asked for. `more` has
the baseline without that, both for pairs of RMC and GGA, and ours where every payload has some text
before it, so that the kernel leaves all to the reader of single sentences.
"""

from collections.abc import Callable

import numpy as np
import pynmea2

from benchmarks.report import Result, rate, rates, run
from devices.batch import FixBatch
from devices.catalogue import codec

RECEIVED_US = 1_760_000_000_000_000


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
    """Decode payloads into a FixBatch."""
    pairs = payloads(4096)
    alone = [payload.split(b"\n")[0] + b"\n" for payload in pairs]
    sentences = [payload.decode().strip() for payload in alone]
    repeats = 5 if quick else 30

    def baseline() -> int:
        return len([read_values(sentence) for sentence in sentences])

    def parsed_only() -> int:
        return len([pynmea2.parse(sentence, check=True) for sentence in sentences])

    def pairs_baseline() -> int:
        return len([[read_values(line) for line in p.decode().splitlines()] for p in pairs])

    in_text = [b"imei:862170010000017rmc:" + payload for payload in alone]
    return Result(
        "RMC sentences into arrays", "fixes/s", *rates(decoding(alone), baseline, repeats),
        "pynmea2.parse of each sentence, and its values read",
        {
            "pynmea2.parse alone, sentences/s": round(rate(parsed_only, repeats)),
            "RMC and GGA, fixes/s": round(rate(decoding(pairs), repeats)),
            "RMC and GGA with pynmea2, fixes/s": round(rate(pairs_baseline, repeats)),
            "RMC in the text of a tracker, fixes/s": round(rate(decoding(in_text), repeats)),
        },
    )  # fmt: skip


def decoding(batch: list[bytes]) -> Callable[[], int]:
    """The work of decoding a batch whose every payload is one fix."""
    received = np.full(len(batch), RECEIVED_US, np.int64)
    decode = codec("nmea").decode

    def work() -> int:
        decoded = decode(batch, received)
        assert not decoded.refusals
        assert len(decoded.fixes) == len(batch)
        return len(batch)

    work()  # compiles the kernel, or loads it
    return work


if __name__ == "__main__":
    run(measure)
