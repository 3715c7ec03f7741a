"""The demo's registry: the simulated world, its fleet and a key to look at them with."""

from psycopg import AsyncConnection

from hanhtrinh.fleet_registry import register_fleet
from simulators.fleet import Fleet
from storage.access import keys

KEY_NAME = "demo"


async def register(conn: AsyncConnection, fleet: Fleet) -> str:
    """Register world and fleet in one transaction. Returns an inspector's key."""
    async with conn.transaction():
        await register_fleet(conn, fleet)
        return (await keys.create(conn, KEY_NAME, "inspector")).key
