"""Drivers: the registry's numbers of those whom messages name by their licences.

Whom the registry does not know is added, as many as are believed (newcomers.py).
"""

from collections.abc import Mapping

import numpy as np
import structlog
from psycopg import AsyncConnection

from devices.batch import FixBatch
from ingest.intake import Intake
from ingest.newcomers import Newcomers, with_doubted
from storage import registry as registry_tables

log = structlog.get_logger(__name__)


class Drivers:
    """Numbers by licence, as far as this worker has seen them."""

    def __init__(self, most_new: int) -> None:
        """most_new: whom nobody has registered, of one vehicle and day."""
        self._numbers: dict[str, int] = {}
        self._newcomers = Newcomers(most_new)

    def replace(self, known: Mapping[str, int]) -> None:
        """Know these and no others: who was erased meanwhile is nobody by that licence."""
        self._numbers = dict(known)

    @property
    def licences(self) -> dict[int, str]:
        """Licences by number."""
        return {number: licence for licence, number in self._numbers.items()}

    async def add(self, conn: AsyncConnection, intake: Intake, now_us: int) -> int:
        """Add those whom the registry does not know, as many as are believed; how many.

        The feed is where licences are first seen. now_us: when the fixes arrived.
        """
        missing = [name for name in intake.licences if name not in self._numbers]
        if not missing:
            return 0
        self._numbers.update(await registry_tables.drivers_of(conn, missing))
        unknown = {name for name in missing if name not in self._numbers}
        new = self._newcomers.admit(intake.fixes, intake.licences, unknown, now_us)
        self._numbers.update(await registry_tables.ensure_drivers(conn, new))
        return len(new)

    def named_in(self, intake: Intake) -> tuple[FixBatch, int]:
        """The fixes with their drivers' numbers; how many are of a driver who is doubted."""
        if not intake.licences:
            return intake.fixes, 0
        ids = np.array([self._numbers.get(name, -1) for name in intake.licences], np.int32)
        named = intake.fixes.driver >= 0
        driver = np.where(named, ids[np.where(named, intake.fixes.driver, 0)], -1)
        fixes, doubted = with_doubted(intake.fixes, driver.astype(np.int32), intake.licences)
        if doubted:
            vehicles = np.unique(fixes.vehicle[named & (driver < 0)])
            log.warning("drivers.doubted", fixes=doubted, vehicles=vehicles[:10].tolist())
        return fixes, doubted
