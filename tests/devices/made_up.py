"""Hypothesis strategies: batches of fixes and weighings, and payloads of every codec."""

import numpy as np
from hypothesis import strategies as st

from devices.batch import INPUT_KNOWN_SHIFT, FixBatch, Input, Quality, WeighingBatch
from devices.catalogue import CODECS
from devices.extra import extra_bytes

NOW_US = 1_767_614_400_000_000
"""2026-01-05T12:00:00Z, when every payload of these tests arrives."""

PLATES = ("43C14390", "11A1234", "30A12345")
NUMBERS = ("13912345678", "868120301234", "41305648010")
LICENCES = ("480123456789", "790123456789")

NUMBERED = frozenset({"jt808", "jt808-json"})
"""Codecs whose identities are decimal digits."""

MOST_KMH = {"gt06": 255}
"""The fastest that a format can write, where it is less than what tests make up."""


def idents_of(name: str):
    return NUMBERS if name in NUMBERED else PLATES


def arrived(n: int):
    return np.full(n, NOW_US, np.int64)


extras = st.none() | st.dictionaries(
    st.text("abcxyz", min_size=1, max_size=5),
    st.integers(-(2**40), 2**40) | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    min_size=1,
    max_size=3,
)


NO_EXTRA = st.none()
ALL_INPUTS = sum(Input)


def or_none(values, none=np.nan):
    return st.just(none) | values


@st.composite
def fix_batches(draw, max_size=5, extra=extras, most_kmh=300):
    """Fixes that every format can carry to its own precision: whole seconds, whole numbers.

    Values come of one drawn seed: drawn one by one they would cost more than the decoding.
    """
    n = draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    with_extra = [] if extra is NO_EXTRA else draw(st.lists(extra, min_size=n, max_size=n))
    known = rng.integers(0, ALL_INPUTS, n) & rng.integers(0, ALL_INPUTS, n, endpoint=True)
    return FixBatch.blank(
        n,
        time=NOW_US - 1_000_000 * whole(rng, n, 0, 10**7),
        received=[NOW_US] * n,
        lon=whole(rng, n, -1_800_000_000, 1_800_000_000) / 1e7,
        lat=whole(rng, n, -900_000_000, 900_000_000) / 1e7,
        speed_kmh=some(rng, whole(rng, n, 0, most_kmh)),
        heading=some(rng, whole(rng, n, 0, 359)),
        altitude=some(rng, whole(rng, n, -400, 9000)),
        hdop=some(rng, whole(rng, n, 1, 500) / 10),
        satellites=some(rng, whole(rng, n, 1, 60), 255),
        odometer=some(rng, whole(rng, n, 0, 2**32 - 1)),
        driver=rng.integers(-1, 1, n, endpoint=True),
        inputs=known << INPUT_KNOWN_SHIFT | known & rng.integers(0, ALL_INPUTS, n, endpoint=True),
        quality=rng.choice([0, 0, 0, int(Quality.NO_POSITION)], n),
        extra={row: extra_bytes(value) for row, value in enumerate(with_extra) if value},
    )


def whole(rng, n, low, high):
    """Whole numbers, every third one at an end or as close to 0 as can be."""
    special = rng.choice([low, high, min(max(low, 0), high), min(max(low, 1), high)], n)
    return np.where(rng.random(n) < 1 / 3, special, rng.integers(low, high, n, endpoint=True))


def some(rng, values, none=np.nan):
    """Values of which every fourth one is not known."""
    return np.where(rng.random(len(values)) < 1 / 4, none, values)


@st.composite
def weighing_batches(draw, min_axles=0):
    axle = st.tuples(st.integers(1, 30_000), st.integers(50, 2000))
    axles = draw(st.lists(axle, min_size=min_axles, max_size=9))
    n = len(axles)
    return WeighingBatch(
        station=(draw(st.sampled_from(["", "QL5-KM78"])),),
        plate=(draw(st.sampled_from(["", *PLATES])),),
        time=np.array([NOW_US - 1_000_000 * draw(st.integers(0, 10**7))]),
        received=np.array([NOW_US]),
        lane=np.array([draw(st.integers(0, 9))], np.int16),
        gross_kg=np.array([float(draw(st.integers(1, 120_000)))]),
        speed_kmh=np.array([draw(or_none(st.integers(0, 120)))], np.float32),
        length_m=np.array([draw(or_none(st.integers(3, 30)))], np.float32),
        axle_start=np.array([0, n]),
        axle_kg=np.array([float(kg) for kg, _ in axles]),
        axle_spacing_m=np.array([cm / 100 if i else np.nan for i, (_, cm) in enumerate(axles)]),
    )


def encoded(name: str):
    """Payloads of a codec, made by its encoder."""
    codec = CODECS[name]
    if codec.encode_weighings:
        min_axles = 1 if name == "weigh-axle-events" else 0
        return weighing_batches(min_axles=min_axles).map(codec.encode_weighings)
    encode = codec.encode
    assert encode
    fixes = fix_batches(extra=NO_EXTRA, most_kmh=MOST_KMH.get(name, 300))
    return fixes.map(lambda f: encode(f, idents_of(name)[:1] * len(f), LICENCES))
