"""A small world and dirty motion in it, for tests that compare the judge with the oracle.

One road along the equator's parallel 10 N, 40 cells of 0.001 degree (about 110 m) long, with every
kind of zone on it, two routes that share a terminal, and vehicles that stand, drive, jump, freeze,
fall silent, lose their position or power, share an identity and report nonsense. Times lie on a
coarse grid so that bounds are hit exactly.
"""

import math
from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import strategies as st

from devices.batch import FixBatch, Input, Quality, inputs_word
from geofence.interval import Interval
from geofence.loads import NO_LOADS, Loads, Weighed
from geofence.profile import shipped_profile
from geofence.registry import Route, RouteStop, StationRule, VehicleRoute, VehicleRule, Zone
from geofence.rulebook import Rulebook
from tests.oracle.judge import judge
from tests.oracle.world import Fix, World

CELL = 0.001
WEST, SOUTH = 106.0, 10.0
START_US = 1_700_000_000_000_000  # 2023-11-15 05:13:20 in Ho Chi Minh City
MIDNIGHT = date(2023, 11, 16)
MODES_CHANGE = START_US + 67_600_000_000  # that midnight


def at(x, y=0):
    """Lon and lat of a cell, rounded so that a place has one representation."""
    return round(WEST + CELL * x, 6), round(SOUTH + CELL * y, 6)


def box(x1, x2, half=3):
    ring = [at(x1, -half), at(x2, -half), at(x2, half), at(x1, half), at(x1, -half)]
    return {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}


def point(x):
    return {"type": "Point", "coordinates": list(at(x))}


def line(*cells):
    return {"type": "LineString", "coordinates": [list(at(*cell)) for cell in cells]}


CHANGE_US = START_US + 3_600_000_000
AC_ENDS_US = CHANGE_US + 1_200_000_000

ZONES = [
    Zone(1, "A", "terminal", box(0, 3)),
    Zone(2, "B", "terminal", box(26, 29)),
    Zone(3, "C", "terminal", point(39), radius_m=250.0),
    Zone(4, "watched", "watch", box(5, 9), max_stay_s=300.0),
    Zone(5, "stop", "stop", point(8), radius_m=130.0, max_stay_s=60.0),
    Zone(
        6, "shut", "banned", box(10, 14), min_duration_s=60.0, min_gross_kg=10_000.0,
        weekly_hours=(
            ("wed", "05:00", "05:40"), ("wed", "06:00", "24:00"), ("thu", "22:00", "05:00"),
        ),
        crossings=True,
    ),
    Zone(7, "shut-to-buses", "banned", box(13, 17), classes=("bus",)),
    Zone(12, "gate", "watch", box(20.5, 21.5), crossings=True),
    Zone(8, "slow", "speed", box(12, 20), speed_limits={"*": 60.0, "bus": 40.0}),
    Zone(9, "slower", "speed", box(16, 18), speed_limits={"*": 40.0}, valid_to=CHANGE_US),
    Zone(10, "wide", "watch", box(2, 34, 2), valid_to=CHANGE_US),
    Zone(11, "wide", "watch", box(2, 30, 2), version=2, valid_from=CHANGE_US),
]  # fmt: skip


def stop(direction, seq, x, y=0, *, compulsory=True):
    lon, lat = at(x, y)
    return RouteStop(direction, seq, lon, lat, name=f"at {x}", compulsory=compulsory)


STOPS = (
    stop("outbound", 4, 21), stop("outbound", 2, 12, 2), stop("outbound", 1, 6),
    stop("outbound", 3, 16, compulsory=False), stop("outbound", 5, 28), stop("inbound", 1, 15),
    stop("inbound", 2, 23), stop("inbound", 3, 5, -2),
)  # fmt: skip
"""The stop at 28 lies in a terminal; on the way back the second stop comes before the first."""

ROUTES = [
    Route(1, "AB", 250.0, "A", "B", line((0,), (28,)), line((28,), (14, 1), (0,)),
          valid_to=CHANGE_US, stops=STOPS),
    Route(2, "AB", 120.0, "A", "B", line((0,), (28,)), line((28,), (14, 1), (0,)), version=2,
          valid_from=CHANGE_US, stops=STOPS[1:]),
    Route(3, "AC", 130.0, "A", "C", line((0,), (10, 2), (39,)), line((39,), (0,)),
          stops=(stop("outbound", 1, 33), stop("inbound", 1, 20))),
]  # fmt: skip

STATIONS = [
    StationRule(
        1, "T1", at(20)[0], at(20)[1], approach=line((2,), (12,), (16, 1), (20,), (39,)),
        corridor_m=150.0, is_two_way=True,
    ),
    StationRule(
        2, "T2", at(12)[0], at(12)[1], approach=line((0,), (30,)), corridor_m=250.0,
        weekly_hours=(("wed", "05:00", "05:40"), ("thu", "00:00", "24:00")), valid_to=CHANGE_US,
    ),
    StationRule(
        2, "T2", at(12)[0], at(12)[1], tolerance=0.1, approach=line((0,), (30,)), corridor_m=250.0,
        weekly_hours=(("wed", "05:00", "05:40"), ("thu", "00:00", "24:00")), valid_from=CHANGE_US,
        valid_to=AC_ENDS_US,
    ),
    StationRule(
        2, "T2", at(14)[0], at(14)[1], approach=line((2,), (26,)), corridor_m=120.0,
        valid_from=AC_ENDS_US,
    ),
    StationRule(3, "T3", at(30)[0], at(30)[1]),
]  # fmt: skip

VEHICLES = [
    VehicleRule(1, gross_kg=9_000.0, routes=(VehicleRoute("AB"),)),
    VehicleRule(2, gross_kg=30_000.0, speed_limit_kmh=50.0),
    VehicleRule(
        3,
        vehicle_class="bus",
        gross_kg=10_000.0,
        routes=(VehicleRoute("AB"), VehicleRoute("AC", valid_to=AC_ENDS_US)),
    ),
    VehicleRule(5, vehicle_class="bus", kind="bus", routes=(VehicleRoute("AC"),)),
]


def with_values(profile, **values):
    """A profile with other values; `section__name` stands for the key `section.name`."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    return replace(profile, values={**profile.values, **named})


FIX_MODE, STEP_MODE = shipped_profile("qcvn31"), shipped_profile("tt09")

SHORT_RESTS = {
    "driving__rest_s": 60.0, "driving__max_gap_s": 120.0, "driving__same_place_m": 150.0,
    "driving__unseen_up_to_s": 900.0,
}  # fmt: skip

PROFILES = {
    "qcvn31": [FIX_MODE],
    "tt09": [STEP_MODE],
    "changing": [
        replace(FIX_MODE, effective_to=MIDNIGHT),
        replace(STEP_MODE, effective_from=MIDNIGHT),
    ],
    "changing_back": [
        replace(STEP_MODE, effective_to=MIDNIGHT),
        replace(FIX_MODE, effective_from=MIDNIGHT),
    ],
    "one_fix_confirms": [with_values(FIX_MODE, visits__confirm_in=1, visits__confirm_out=1)],
    "slow_to_enter": [
        with_values(
            STEP_MODE, visits__confirm_in=4, visits__confirm_out=1, quality__frozen_fixes=3,
            quality__speed_differs_steps=1, quality__jump_resume_fixes=1,
            station_avoided__before_m=900.0, station_avoided__behind_m=700.0,
        )
    ],
    "short_rests": [
        replace(with_values(FIX_MODE, **SHORT_RESTS), effective_to=MIDNIGHT),
        replace(
            with_values(STEP_MODE, **SHORT_RESTS | {"driving__rest_s": 30.0}),
            effective_from=MIDNIGHT,
        ),
    ],
    "slow_to_leave": [
        with_values(
            FIX_MODE, visits__confirm_in=1, visits__confirm_out=4, quality__frozen_fixes=5,
            quality__jump_resume_fixes=5, quality__speed_differs_steps=4,
            station_avoided__within_s=300.0,
        )
    ],
}  # fmt: skip


def rulebook(profiles):
    return Rulebook.build(PROFILES[profiles], ZONES, ROUTES, VEHICLES, stations=STATIONS)


def world(profiles):
    vehicles = {v.id: v for v in VEHICLES}
    return World(PROFILES[profiles], ZONES, ROUTES, vehicles, stations=STATIONS)


GAPS_S = [1, 5, 10, 10, 11, 20, 20, 20, 30, 30, 59, 60, 61, 119, 120, 121, 400, 900, 901]
SPEEDS = [math.nan, 0, 3, 4, 10, 11, 40, 41, 45, 46, 50, 51, 60, 80, 81, 85, 86, 100, 101, 200, 201]
STEADY = [math.nan, 0, 41, 46, 51, 61, 81, 90, 130]

CUT, NO_CUT = inputs_word({Input.POWER_CUT: True}), inputs_word({Input.POWER_CUT: False})
POWER = [0, 0, NO_CUT, CUT, inputs_word({Input.IGNITION: True}), int(Input.POWER_CUT)]
"""Words of inputs. In the last one the bit is set of an input that is not known."""

CLONE = 200
"""How many cells away the other device with the same identity is: over 250 km/h within 300 s."""


@st.composite
def motions(draw):
    """Fixes of one vehicle: (time_us, x, y, speed, driver, inputs, has a position).

    Times strictly grow.
    """
    begins = draw(st.sampled_from([0, 0, 1_300, 3_200, 67_000]))
    time, y, driver = START_US + begins * 1_000_000, 0, -1
    x = draw(st.sampled_from([0, 1, 4, 8, 12, 15, 24, 27, 37, 50]))
    fixes: list[tuple[int, int, int, float, int, int, bool]] = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(
            st.sampled_from(["stay", "drive", "drive", "drive", "aside", "wild", "lost", "clone"])
        )
        gap = draw(st.sampled_from(GAPS_S))
        speed = draw(st.sampled_from(STEADY))
        step = draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
        if draw(st.booleans()):
            driver = draw(st.sampled_from([-1, 7, 8]))
        inputs = draw(st.sampled_from(POWER))
        for _ in range(draw(st.integers(1, 7))):
            if kind == "wild":
                gap = draw(st.sampled_from(GAPS_S))
                speed = draw(st.sampled_from(SPEEDS))
                x += draw(st.sampled_from([0, 0, 1, -1, 2, 30, -30]))
                y = draw(st.sampled_from([0, 0, 1, 2, 3, 4, -2]))
            elif kind == "aside":
                x, y = x + step, draw(st.sampled_from([0, 2, 3, 4]))
            elif kind in ("drive", "lost"):
                x, y = x + step, 0
            apart = CLONE * (len(fixes) % 2) if kind == "clone" else 0
            time += gap * 1_000_000
            fixes.append((time, x + apart, y, speed, driver, inputs, kind != "lost"))
    return fixes


@st.composite
def fleets(draw):
    """Sorted fixes of some vehicles, as one batch."""
    return batch_of({v.id: draw(motions()) for v in VEHICLES if draw(st.booleans())})


def seeded_motion(seed, fixes=300, shift=0):
    """A long motion that drives up and down the road, goes aside, stands and falls silent.

    shift: how many cells farther east; nothing lies beyond 42.
    """
    random = np.random.default_rng(seed)
    time = MODES_CHANGE - 3_000_000_000 if seed % 2 else START_US
    x, y, way, speed, gap, inputs, trouble = 0, 0, 1, 40.0, 20, 0, ""
    found = []
    for number in range(fixes):
        if random.random() < 0.1:
            speed = float(random.choice(SPEEDS if random.random() < 0.3 else STEADY))
        if random.random() < 0.1:
            gap = int(random.choice(GAPS_S))
        if random.random() < 0.08:
            way = int(random.choice([-2, -1, 0, 1, 2]))
        if random.random() < 0.15:
            y = int(random.choice([0, 0, 0, 2, 3, 4]))
        if random.random() < 0.05:
            inputs = int(random.choice(POWER))
        if random.random() < 0.1:
            trouble = str(random.choice(["", "", "", "lost", "clone"]))
        x = min(40, max(-2, x + way))
        jump = 25 if random.random() < 0.03 else 0
        if trouble == "clone":
            jump = CLONE * (number % 2)
        time += (int(random.choice(GAPS_S)) if random.random() < 0.05 else gap) * 1_000_000
        driver = int(random.choice([7, 7, 7, 8]))
        found.append((time, x + shift + jump, y, speed, driver, inputs, trouble != "lost"))
    return found


def batch_of(motion):
    """A batch, sorted by (vehicle, time), from {vehicle: motion}; inputs and so on may lack."""
    rows = [(v, *fix, *(0, True)[len(fix) - 5 :]) for v in sorted(motion) for fix in motion[v]]
    places = [at(r[2], r[3]) if r[7] else (0.0, 0.0) for r in rows]
    return FixBatch.blank(
        len(rows),
        vehicle=np.array([r[0] for r in rows], np.int32),
        time=np.array([r[1] for r in rows], np.int64),
        received=np.array([r[1] for r in rows], np.int64),
        lon=np.array([p[0] for p in places]),
        lat=np.array([p[1] for p in places]),
        speed_kmh=np.array([r[4] for r in rows], np.float32),
        driver=np.array([r[5] for r in rows], np.int32),
        inputs=np.array([r[6] for r in rows], np.uint32),
        quality=np.array([0 if r[7] else Quality.NO_POSITION for r in rows], np.uint16),
    )


def weighed(vehicle, time, gross_kg=0.0, *, station="T1", tolerance=0.0, indicative=False):
    """A weighing of a vehicle; without a mass it is not overloaded."""
    details = {
        "measured_kg": gross_kg, "limit_kg": 10_000.0, "tolerance": tolerance,
        "excess_percent": 20.0, "band": "10_20", "group": "gross",
    }  # fmt: skip
    place = at(4)
    overload = Interval(
        "overload_gross", vehicle, station, "qcvn31", -1, time, time, 0.0, 0, place, place,
        is_open=False, details=details,
    )  # fmt: skip
    return Weighed(
        vehicle, time, station, 1, gross_kg or 5_000.0, tolerance, indicative,
        overload if gross_kg else None,
    )  # fmt: skip


BESIDE_S = [0, 0, 0.000001, -0.000001, 5, -5, -899, -900, -901, 30, 600]
MASSES = [0.0, 12_000.0, 12_000.0, 18_000.0, 31_000.0]


def seeded_loads(batch, seed):
    """Weighings of the vehicles of a batch, near its fixes, some at one time, some far off."""
    random = np.random.default_rng(seed)
    found = []
    for vehicle in np.unique(batch.vehicle).tolist():
        times = batch.time[batch.vehicle == vehicle]
        for _ in range(int(random.choice([0, 1, 1, 2, 3, 6]))):
            time = int(random.choice(times)) + round(random.choice(BESIDE_S) * 1e6)
            for _ in range(int(random.choice([1, 1, 1, 2]))):
                mass = float(random.choice(MASSES))
                station = str(random.choice(["T1", "T2"]))
                found.append(
                    weighed(
                        vehicle, time, mass, station=station,
                        tolerance=float(random.choice([0.0, 0.05])),
                        indicative=bool(random.random() < 0.2),
                    )
                )  # fmt: skip
    return Loads.of(found)


def oracle_of(its_world, batch, loads=NO_LOADS):
    """What the oracle says of a batch: (quality bits, intervals)."""
    bits, intervals = np.zeros(len(batch), np.uint16), []
    for vehicle in np.unique(batch.vehicle).tolist():
        rows = np.flatnonzero(batch.vehicle == vehicle)
        fixes = [
            Fix(
                int(batch.time[i]), float(batch.lon[i]), float(batch.lat[i]),
                float(batch.speed_kmh[i]), int(batch.driver[i]), int(batch.inputs[i]),
                {str(q.name).lower() for q in Quality if batch.quality[i] & q},
            )
            for i in rows
        ]  # fmt: skip
        own = [load for load in loads.weighed if load.vehicle == vehicle]
        intervals += judge(its_world, its_world.vehicles[vehicle], fixes, own)
        for i, fix in zip(rows, fixes, strict=True):
            bits[i] = sum(int(Quality[name.upper()]) for name in fix.quality)
    return bits, intervals
