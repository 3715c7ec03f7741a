"""Dirty drives through the town, for tests of the filter and of the judge."""

import numpy as np
from hypothesis import strategies as st

from devices.batch import FixBatch
from tests.geofence.roads.town import OPENS_US, START_US, place

GAPS_S = [1, 5, 10, 10, 20, 30, 59, 60, 61, 119, 120, 121, 400]


def batch_of(rows, vehicle=1):
    """A batch of (time_us, east, north, speed, heading)."""
    columns = np.array(rows, np.float64).reshape(-1, 5).T
    lon, lat = place(columns[1], columns[2])
    time = np.array([row[0] for row in rows], np.int64)
    return FixBatch.blank(
        len(rows), vehicle=np.full(len(rows), vehicle), time=time, received=time,
        lon=lon, lat=lat, speed_kmh=columns[3], heading=columns[4],
    )  # fmt: skip


@st.composite
def drives(draw, legs=4):
    """Rows of a drive that goes straight for a while, turns, wobbles, stands and falls silent."""
    seed = draw(st.integers(0, 2**32 - 1))
    return seeded(np.random.default_rng(seed), draw(st.integers(1, legs)))


def seeded(random, legs):
    time = START_US if random.random() < 0.5 else OPENS_US - 200_000_000
    east, north = random.choice([0, 390, 700, 1200, 1600, 2000]), random.choice([-300, 0, 15, 30])
    rows = []
    for _ in range(legs):
        heading = float(random.choice([0, 90, 90, 90, 180, 270, 270, 45]))
        speed = float(random.choice([0, 5, 20, 40, 60, 80]))
        gap = int(random.choice(GAPS_S))
        noise = float(random.choice([0.5, 5, 15]))
        for _ in range(int(random.integers(1, 9))):
            if random.random() < 0.1:
                gap = int(random.choice(GAPS_S))
            time += gap * 1_000_000
            metres = speed / 3.6 * min(gap, 20)
            east += metres * np.sin(np.radians(heading))
            north += metres * np.cos(np.radians(heading))
            seen = heading if random.random() < 0.8 else float(random.uniform(0, 360))
            known = speed if random.random() < 0.9 else np.nan
            off = random.normal(0, noise, 2)
            rows.append((time, east + off[0], north + off[1], known, seen))
    return rows


def cruise(random, legs):
    """Rows of drives along the roads that lead east, now and then from one to its parallel."""
    time, rows = START_US, []
    for _ in range(legs):
        east, ahead = (0.0, 1.0) if random.random() < 0.7 else (2000.0, -1.0)
        north = float(random.choice([0, 8, 15, -300, -306, -35]))
        speed, gap = float(random.choice([35, 55, 65, 85, 100])), int(random.choice([5, 10, 20]))
        for _ in range(int(random.integers(5, 40))):
            time += (int(random.choice(GAPS_S)) if random.random() < 0.05 else gap) * 1_000_000
            east += ahead * speed / 3.6 * gap
            if random.random() < 0.1:
                speed = float(random.choice([35, 55, 65, 85, 100]))
            if random.random() < 0.05:
                north = float(random.choice([0, 8, 15]))
            if not -50 < east < 2050:
                ahead = -ahead
            heading = (90.0 * ahead) % 360.0 if random.random() < 0.7 else np.nan
            off = random.normal(0, 6, 2)
            rows.append((time, east + off[0], north + off[1], speed, heading))
    return rows


def doubtful(random, legs):
    """Rows of a drive up and down between two roads 15 m apart, at speeds that only one allows."""
    time, east, ahead, rows = START_US, 20.0, 1.0, []
    north, speed = 0.0, 50.0
    for _ in range(40 * legs):
        gap = int(random.choice([5, 10, 10, 10, 30, 61, 121] if random.random() < 0.1 else [5, 10]))
        time += gap * 1_000_000
        if random.random() < 0.15:
            north, speed = float(random.choice([0, 8, 15])), float(random.choice([35, 50, 50, 65]))
        if not 0 < east + ahead * speed / 3.6 * gap < 1200:
            ahead = -ahead
        east += ahead * speed / 3.6 * gap
        off = random.normal(0, 3, 2)
        rows.append((time, east + off[0], north + off[1], speed, np.nan))
    return rows
