"""Made-up drives, and what they come to by hour, worked out one fix at a time."""

import math

import numpy as np

from devices.batch import DISQUALIFYING, FixBatch, Quality
from storage.flavour import HOUR_US

LON, LAT = 105.8, 21.0


def journey(vehicle: int, start_us: int, seconds, seed: int = 1) -> FixBatch:
    """Fixes at so many seconds, driving, standing and silent by turns, a few unclean."""
    seconds = np.asarray(seconds)
    rng = np.random.default_rng(seed)
    n = len(seconds)
    eastward = rng.choice([0, 1e-3, -2e-3, 0.5], n, p=[0.3, 0.4, 0.29, 0.01])
    unclean = rng.random(n) < 0.1
    return FixBatch.blank(
        n,
        vehicle=np.full(n, vehicle),
        time=start_us + seconds * 1_000_000,
        received=start_us + seconds * 1_000_000 + 700_000,
        lon=np.round(LON + np.cumsum(eastward), 5),
        lat=np.round(LAT + np.cumsum(rng.choice([0, 1e-3, -1e-3], n)), 5),
        speed_kmh=rng.choice([0, 2.5, 3, 40, 55.5, np.nan], n),
        quality=np.where(
            unclean, rng.choice([Quality.NO_POSITION, Quality.JUMP], n),
            rng.choice([0, Quality.SPEED_IMPLAUSIBLE, Quality.LATE], n, p=[0.8, 0.1, 0.1]),
        ).astype(np.uint16),
    )  # fmt: skip


def irregular(hours_long: float, seed: int) -> np.ndarray:
    """Seconds since the start: steps of up to a minute, some of ten, few of an hour."""
    rng = np.random.default_rng(seed)
    steps = rng.choice(
        [1, 10, 55, 600, 900, 901, 4000], 2000, p=[0.3, 0.4, 0.2, 0.04, 0.02, 0.02, 0.02]
    )
    seconds = np.cumsum(steps)
    return seconds[seconds < hours_long * 3600]


def slow_hours(batch: FixBatch) -> dict[int, list[float]]:
    """By hour: fixes, clean ones, metres, driven and silent seconds, fastest; one fix at a time."""
    found: dict[int, list[float]] = {}
    before = None
    for i in np.argsort(batch.time):
        hour = found.setdefault(int(batch.time[i]) // HOUR_US * HOUR_US, [0, 0, 0, 0, 0, math.nan])
        hour[0] += 1
        if batch.quality[i] & int(DISQUALIFYING):
            continue
        hour[1] += 1
        speed = float(batch.speed_kmh[i])
        if batch.quality[i] & int(Quality.SPEED_IMPLAUSIBLE):
            speed = math.nan
        hour[5] = np.fmax(hour[5], speed)
        if before is not None:
            gap = (batch.time[i] - batch.time[before]) / 1e6
            length = great_circle(batch.lon[before], batch.lat[before], batch.lon[i], batch.lat[i])
            over_step = length / gap * 3.6
            hour[2] += length if over_step <= 250 else 0
            if gap > 900:
                hour[4] += gap
            elif (over_step if math.isnan(speed) else speed) > 3:
                hour[3] += gap
        before = i
    return found


def evidence_of(batch: FixBatch, started_us: int, ended_us: int) -> list[tuple[int, str]]:
    """Instants and roles, one fix at a time."""
    clean = batch.quality & int(DISQUALIFYING) == 0
    before = batch.time[clean & (batch.time < started_us)][-1:]
    after = batch.time[clean & (batch.time > ended_us)][:1]
    inside = batch.time[(batch.time >= started_us) & (batch.time <= ended_us)]
    return [
        *((int(t), "before") for t in before),
        *((int(t), "inside") for t in inside),
        *((int(t), "after") for t in after),
    ]


def great_circle(lon0: float, lat0: float, lon1: float, lat1: float) -> float:
    """Metres, by the spherical law of cosines' stable twin: the angle between two vectors."""
    one, other = (
        np.array([math.cos(b) * math.cos(a), math.cos(b) * math.sin(a), math.sin(b)])
        for a, b in (
            (math.radians(lon0), math.radians(lat0)),
            (math.radians(lon1), math.radians(lat1)),
        )
    )
    return 6_371_008.8 * math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))
