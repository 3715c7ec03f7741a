"""Routes of a feed beside those of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from geofence.registry import Route, Zone
from hanhtrinh.gtfs_import.routes import Built
from storage import registry
from storage.bulk.problems import Problems
from storage.bulk.versioned import Place, Plan, plan, write_routes, write_zones


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What becomes of a feed's routes and of their terminals."""

    routes: Plan[Route]
    terminals: Plan[Zone]

    async def write(self, conn: AsyncConnection) -> None:
        """Write it, in the caller's transaction. Raises RegistryError."""
        await write_zones(conn, self.terminals)
        await write_routes(conn, self.routes)


async def plan_feed(
    conn: AsyncConnection, built: Sequence[Built], now_us: int, problems: Problems
) -> FeedPlan:
    """Compare with what is registered; reports what cannot be as the feed says."""
    routes: list[tuple[Route, Place]] = []
    terminals: list[tuple[Zone, Place]] = []
    for one in built:
        place = Place("routes.txt", one.line, "route_id")
        routes.append((one.route, place))
        terminals += [(zone, place) for zone in one.terminals]
    zones = await registry.newest_zones(conn, [zone.code for zone, _ in terminals])
    for zone, place in terminals:
        there = zones.get(zone.code)
        if there is not None and there.kind != "terminal":
            said = f"expected a terminal under the code {zone.code!r}, got a zone {there.kind}"
            problems.add(place.problem(said))
    known = await registry.newest_routes(conn, [route.code for route, _ in routes])
    return FeedPlan(plan(routes, known, now_us, problems), plan(terminals, zones, now_us, problems))
