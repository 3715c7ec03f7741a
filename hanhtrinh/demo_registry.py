"""The demo's registry: the simulated world, its fleet and a token to look at them with."""

from psycopg import AsyncConnection

from hanhtrinh.fleet_registry import register_fleet
from simulators.fleet import Fleet
from storage import tokens

TOKEN_NAME = "demo"  # noqa: S105 - what the token is called


async def register(conn: AsyncConnection, fleet: Fleet) -> str:
    """Register world and fleet in one transaction. Returns an inspector's token."""
    async with conn.transaction():
        await register_fleet(conn, fleet)
        return await tokens.create(conn, TOKEN_NAME, "inspector")
