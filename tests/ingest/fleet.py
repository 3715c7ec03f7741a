"""A small registry and hand-made fixes for tests of the pipeline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.batch import UNKNOWN
from geofence.profile import shipped_profile
from geofence.quality import Region
from geofence.registry import Route, RouteSlot, StationRule, Zone
from ingest.pipeline import Pipeline
from ingest.rules import JudgingOptions
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from storage import registry
from storage.registry import NewVehicle

T0_S = 1_760_000_000
"""A Thursday morning in Viet Nam, in Unix seconds."""

OPTIONS = JudgingOptions((shipped_profile("qcvn31"),), "Asia/Ho_Chi_Minh", Region())

BANNED = {
    "type": "Polygon",
    "coordinates": [
        [[106.70, 10.70], [106.72, 10.70], [106.72, 10.80], [106.70, 10.80], [106.70, 10.70]]
    ],
}
SLOW = {
    "type": "Polygon",
    "coordinates": [
        [[106.74, 10.70], [106.80, 10.70], [106.80, 10.80], [106.74, 10.80], [106.74, 10.70]]
    ],
}


STATION = StationRule(
    UNKNOWN, "QL5", 106.7, 10.75, corridor_m=300.0,
    approach={"type": "LineString", "coordinates": [[106.6, 10.75], [106.9, 10.75]]},
)  # fmt: skip


def new_pipeline() -> Pipeline:
    return Pipeline(OPTIONS, TopicRouter())


async def register(conn: AsyncConnection, vehicles: int = 3) -> list[int]:
    """Vehicles with devices imei-0, imei-1, ..., a banned and a speed zone, a weigh station."""
    operator = await registry.add_operator(conn, "OP", "Operator")
    ids = await registry.add_vehicles(
        conn,
        [
            NewVehicle(
                f"29C{i:05d}", operator, axles=2, gross_kg=16000, kerb_kg=6000, cargo_kg=9000
            )
            for i in range(vehicles)
        ],
    )
    devices = await registry.add_devices(conn, [f"imei-{i}" for i in range(vehicles)])
    await registry.assign_devices(conn, devices, ids)
    await registry.add_zone(conn, Zone(UNKNOWN, "BAN", "banned", BANNED, min_duration_s=20))
    await registry.add_zone(conn, Zone(UNKNOWN, "SLOW", "speed", SLOW, speed_limits={"*": 50.0}))
    await registry.add_station(conn, STATION)
    return ids


async def add_route(conn: AsyncConnection, vehicles: Sequence[int]) -> None:
    """Register vehicles for a route along 10.75 N with terminals at 106.65 and 106.69 E."""
    for code, lon in (("A", 106.65), ("B", 106.69)):
        place = {"type": "Point", "coordinates": [lon, 10.75]}
        await registry.add_zone(conn, Zone(UNKNOWN, code, "terminal", place, radius_m=300.0))
    there = {"type": "LineString", "coordinates": [[106.65, 10.75], [106.69, 10.75]]}
    back = {"type": "LineString", "coordinates": [[106.69, 10.75], [106.65, 10.75]]}
    slots = [
        RouteSlot(direction, f"{hour:02d}:{minute:02d}")
        for direction in ("outbound", "inbound")
        for hour in range(15, 19)
        for minute in range(0, 60, 20)
    ]
    route = Route(UNKNOWN, "AB", 200.0, "A", "B", there, back, slots=tuple(slots))
    await registry.add_route(conn, route)
    await registry.assign_routes(conn, vehicles, ["AB"] * len(vehicles))


@dataclass(frozen=True, slots=True)
class Sent:
    """A fix as a tracker sends it; `at` in seconds after T0_S."""

    device: int
    at: int
    lon: float
    lat: float
    speed_kmh: float
    valid: bool = True

    @property
    def message(self) -> tuple[str, bytes, int]:
        body = {
            "time": T0_S + self.at,
            "lon": self.lon,
            "lat": self.lat,
            "speed_kmh": self.speed_kmh,
            "valid": self.valid,
        }
        # Received a fixed time after it was taken, so that arrival bits do not depend on the order.
        received = (T0_S + self.at + 1) * 1_000_000
        return f"gsht/v1/json/imei-{self.device}", json.dumps(body).encode(), received


@dataclass(frozen=True, slots=True)
class Scaled:
    """A weighing as a station sends it; `at` in seconds after T0_S.

    Over 17,600 kg is overloaded.
    """

    device: int
    at: int
    gross_kg: float

    @property
    def message(self) -> tuple[str, bytes, int]:
        body = {
            "time": T0_S + self.at,
            "plate": f"29C{self.device:05d}",
            "gross_kg": self.gross_kg,
        }
        received = (T0_S + self.at + 1) * 1_000_000
        return "weigh/v1/json/QL5", json.dumps(body).encode(), received


def batch_of(sent: Sequence[Sent | Scaled]) -> MessageBatch:
    messages = [s.message for s in sent]
    return MessageBatch(
        [m[0] for m in messages],
        [m[1] for m in messages],
        np.array([m[2] for m in messages], np.int64),
    )


async def stored_state(conn: AsyncConnection) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must not depend on how the fixes came in."""
    questions = {
        "fixes": "SELECT vehicle_id, time, lon, lat, speed_kmh, quality FROM fixes ORDER BY 1, 2",
        "violations": """
            SELECT kind, subject, rule_profile, vehicle_id, started_at, ended_at, duration_s,
                   distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,
                   status = 'open'
            FROM violations WHERE status <> 'withdrawn' ORDER BY 1, 2, 4, 5""",
        "visits": """
            SELECT vehicle_id, zone_id, entered_at, left_at, is_open, fixes
            FROM zone_visits ORDER BY 1, 2, 3""",
        "trips": """
            SELECT vehicle_id, route_id, departed_at, ended_at, direction, outcome, driver_id,
                   distance_m, fixes, unseen_s, start_lon, end_lon
            FROM route_trips ORDER BY 1, 2, 3""",
        "driving": """
            SELECT vehicle_id, started_at, ended_at, driver_id, rule_profile, is_open, is_moving,
                   continues, unseen_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat
            FROM driving_spans ORDER BY 1, 2""",
        "latest": """
            SELECT vehicle_id, time, lon, lat, quality, stored_until, judged_until, needs_from
            FROM latest ORDER BY 1""",
        "marks": "SELECT vehicle_id, time, needs_from FROM judge_marks ORDER BY 1, 2",
    }
    state = {}
    for name, question in questions.items():
        state[name] = await (await conn.execute(question)).fetchall()
    return state
