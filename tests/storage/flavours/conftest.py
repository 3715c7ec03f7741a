"""A database of each flavour, which the tests of this folder share: it costs seconds to start.

What a test says of rows is of vehicles of its own (`vehicles`), or of days that no other test has
fixes of; a round of upkeep, which is about all there is, is compared with what there was before.
"""

import pytest

from storage.flavour import Flavour
from tests.storage.flavoured import migrated, register, store_old


@pytest.fixture(scope="session", params=list(Flavour))
def place(request, postgres):
    with migrated(request.param, postgres, store_old) as found:
        register(found.dsn, 2, 60)
        yield found


@pytest.fixture(scope="session")
def vehicles(place):
    """Vehicles of op-1 that no other test knows; 20 has the old fixes."""
    return iter(range(21, 61))


@pytest.fixture(scope="session")
def others(place):
    """The same of op-2."""
    return iter(range(61, 121))
