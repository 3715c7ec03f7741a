"""Weighings: one row for each, with its axles."""

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, Bool, WeighingBatch
from storage.arrays import Float4s, Float8s, Instants, Int2s, Int4s, cursor
from storage.extras import storable
from storage.queries import queries
from storage.texts import storable_text

SQL = queries("weighings")


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
