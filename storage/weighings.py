"""Weighings: one row for each, with its axles."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64, Bool, WeighingBatch
from geofence.registry import StationRule
from storage.arrays import Float4s, Float8s, Instants, Int2s, Int4s, cursor
from storage.extras import storable
from storage.queries import queries
from storage.texts import storable_text

SQL = queries("weighings")


@dataclass(frozen=True, slots=True, eq=False)
class StoredWeighings:
    """Weighings with whom and where they are of, shape (n,) each; without `extra`."""

    weighings: WeighingBatch
    vehicle: I32
    station: tuple[StationRule, ...]


async def insert(
    conn: AsyncConnection, weighings: WeighingBatch, vehicle: I32, station: I32
) -> Bool:
    """Write weighings, in the caller's transaction. Returns which are new, shape (n,).

    vehicle, station: registry ids, shape (n,). A weighing is known by station, time, lane and
    plate; of two, the first stays.
    """
    new = np.zeros(len(weighings), np.bool_)
    if not len(weighings):
        return new
    plates = [storable_text(plate) for plate in weighings.plate]
    extra = weighings.extra
    cur = cursor(conn)
    await cur.execute(
        SQL["insert"],
        {
            "station": Int4s(station),
            "vehicle": Int4s(vehicle),
            "time": Instants(weighings.time),
            "received": Instants(weighings.received),
            "lane": Int2s(weighings.lane),
            "plate": plates,
            "gross_kg": Float8s(weighings.gross_kg),
            "speed_kmh": Float4s(weighings.speed_kmh),
            "length_m": Float4s(weighings.length_m),
            # SQL's slices begin at 1 and include their end.
            "first": Int4s(weighings.axle_start[:-1] + 1),
            "last": Int4s(weighings.axle_start[1:]),
            "axle_kg": Float8s(weighings.axle_kg),
            "axle_spacing_m": Float8s(weighings.axle_spacing_m),
            "extra": [
                storable(extra[row]).decode() if row in extra else None
                for row in range(len(weighings))
            ],
        },
    )
    inserted = set(await cur.fetchall())
    keys = zip(
        station.tolist(), weighings.time.tolist(), weighings.lane.tolist(), plates, strict=True
    )
    for row, key in enumerate(keys):
        if key in inserted:
            new[row] = True
            inserted.remove(key)
    return new


async def since(conn: AsyncConnection, vehicles: I32, from_us: I64) -> StoredWeighings:
    """Every stored weighing of vehicles[i] with time >= from_us[i]; no vehicle twice."""
    rows: list[tuple[Any, ...]] = []
    if len(vehicles):
        cur = cursor(conn)
        params = {"vehicle": Int4s(vehicles), "since": Instants(from_us)}
        await cur.execute(SQL["since"], params)
        rows = await cur.fetchall()
    axles = [len(row[8]) for row in rows]
    return StoredWeighings(
        weighings=WeighingBatch(
            station=tuple(row[11] for row in rows),
            plate=tuple(row[4] for row in rows),
            time=np.array([row[1] for row in rows], np.int64),
            received=np.array([row[2] for row in rows], np.int64),
            lane=np.array([row[3] for row in rows], np.int16),
            gross_kg=np.array([row[5] for row in rows], np.float64),
            speed_kmh=np.array([row[6] for row in rows], np.float32),
            length_m=np.array([row[7] for row in rows], np.float32),
            axle_start=np.cumsum([0, *axles], dtype=np.int64),
            axle_kg=np.array([kg for row in rows for kg in row[8]], np.float64),
            axle_spacing_m=np.array([m for row in rows for m in row[9]], np.float64),
        ),
        vehicle=np.array([row[0] for row in rows], np.int32),
        station=tuple(StationRule(*row[10:18]) for row in rows),
    )
