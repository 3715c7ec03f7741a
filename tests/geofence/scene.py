"""One vehicle's fixes and a judge for them, in few words, for tests of single rules."""

import numpy as np

from devices.batch import FixBatch, Quality
from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule
from geofence.rulebook import Rulebook

START_US = 1_700_000_000_000_000
METRES_NORTH = 1 / 111_195.0802335  # degrees of latitude to a metre


def fixes(
    times_s, speed=0.0, *, metres=0.0, lon=106.0, lat=10.0, driver=-1, vehicle=1, inputs=0,
    lost=False,
):  # fmt: skip
    """Fixes at `times_s` after START_US, `metres` north of (lon, lat); numbers or one for each.

    lost: without a position.
    """
    n = len(times_s)
    time = START_US + np.round(np.array(times_s, np.float64) * 1e6).astype(np.int64)
    return FixBatch.blank(
        n,
        vehicle=np.full(n, vehicle),
        time=time,
        received=time,
        lon=np.broadcast_to(np.asarray(lon, np.float64), n),
        lat=lat + np.broadcast_to(np.asarray(metres, np.float64), n) * METRES_NORTH,
        speed_kmh=np.broadcast_to(np.asarray(speed, np.float64), n),
        driver=np.broadcast_to(np.asarray(driver), n),
        inputs=np.broadcast_to(np.asarray(inputs, np.uint32), n),
        quality=np.broadcast_to(np.where(lost, Quality.NO_POSITION, 0), n),
    )


def driven(times_s, kmh):
    """Metres after driving at a steady speed."""
    return np.array(times_s, np.float64) * kmh / 3.6


def judged(batch, *, profile="qcvn31", zones=(), routes=(), vehicle=None):
    """What a fresh judge says of a batch."""
    profiles = [shipped_profile(profile)] if isinstance(profile, str) else [profile]
    rulebook = Rulebook.build(profiles, zones, routes, [vehicle or VehicleRule(1)])
    return Judge(rulebook).advance(batch, np.zeros(len(batch), np.bool_))


def found(batch, kind, **rules):
    """The intervals of one kind, in order of time, as (started_s, ended_s, is_open)."""
    return [
        ((i.started - START_US) / 1e6, (i.ended - START_US) / 1e6, i.is_open)
        for i in of_kind(batch, kind, **rules)
    ]


def of_kind(batch, kind, **rules):
    """The intervals of one kind, in order of time."""
    intervals = [i for i in judged(batch, **rules).intervals if i.kind == kind]
    return sorted(intervals, key=lambda i: (i.started, i.subject))
