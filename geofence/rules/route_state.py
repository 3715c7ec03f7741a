"""What is known of vehicles on routes, as arrays: for the kernels of `route_trips` and its parts.

Belongs here: the tuples of arrays that kernels are handed. What is in a record is said where its
kind is.
"""

from typing import NamedTuple

import numpy as np

from devices.batch import F64, I32, I64
from geofence.rules.off_route import OFF_DTYPE
from geofence.rules.rule import Records
from geofence.rules.trip_facts import FACTS_DTYPE, LAST_DTYPE
from geofence.rules.unscheduled_stop import STOP_DTYPE


class RouteBook(NamedTuple):
    """What kernels ask of routes and profiles."""

    params: Records
    routes: Records
    start: I64
    ends: F64
    along_m: F64
    length_m: F64
    chunk_start: I64
    chunk_box: F64
    stop_start: I64
    stop_lon: F64
    stop_lat: F64
    stop_number: I32


class RouteState(NamedTuple):
    """What is known of each slot s (row v: of each vehicle), beside the queue.

    trips, off, stops: shape (m,), FACTS_DTYPE, OFF_DTYPE, STOP_DTYPE. seen: shape (m, 2, most), as
    in `come_by`. near: shape (m,), a segment of the path that the vehicle was near, or any number.
    last: shape (n,), LAST_DTYPE, the last decided fix.
    """

    trips: Records
    off: Records
    stops: Records
    seen: I32
    near: I32
    last: Records


class Found(NamedTuple):
    """What is over, and in `counts` how much of it: off, stops, trips. ends and seen: of trips."""

    counts: I32
    off: Records
    stops: Records
    trips: Records
    ends: Records
    seen: I32


def new_state(vehicles: int, slots: int, most: int) -> RouteState:
    """Nothing was seen of so many vehicles with so many slots. most: stops of a path."""
    return RouteState(
        trips=np.zeros(slots, FACTS_DTYPE),
        off=np.zeros(slots, OFF_DTYPE),
        stops=np.zeros(slots, STOP_DTYPE),
        seen=np.zeros((slots, 2, most), np.int32),
        near=np.zeros(slots, np.int32),
        last=np.zeros(vehicles, LAST_DTYPE),
    )


def new_found(room: int, most: int) -> Found:
    """Room for so many findings of each kind."""
    return Found(
        counts=np.zeros(3, np.int32),
        off=np.zeros(room, OFF_DTYPE),
        stops=np.zeros(room, STOP_DTYPE),
        trips=np.zeros(room, FACTS_DTYPE),
        ends=np.zeros(room, LAST_DTYPE),
        seen=np.zeros((room, 2, most), np.int32),
    )
