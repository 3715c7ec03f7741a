"""Fixtures: a world that is only read, shared by a module; and one of a test's own, to change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import pytest

from tests.api.server import Client, running
from tests.api.world import World, build


@dataclass(frozen=True)
class Api:
    """A world, and clients that ask about it."""

    world: World
    client: Callable[[str | None], Client]

    @property
    def inspector(self) -> Client:
        return self.client(self.world.inspector)

    @property
    def north(self) -> Client:
        return self.client(self.world.of_north)

    @property
    def south(self) -> Client:
        return self.client(self.world.of_south)

    @property
    def nobody(self) -> Client:
        return self.client(None)


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> Iterator[None]:
    """Loopback is asked directly, whatever proxy the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


def serve(dsn: str) -> Iterator[Api]:
    world = build(dsn)
    clients: dict[str | None, Client] = {}
    making = Lock()  # a client that another thread's takes the place of is never closed
    with running(dsn) as (app, base):

        def client(token: str | None) -> Client:
            with making:
                if token not in clients:
                    clients[token] = Client(app, base, token)
                return clients[token]

        try:
            yield Api(world, client)
        finally:
            for made in clients.values():
                made.http.close()


@pytest.fixture(scope="module")
def api(postgres, migrated_template) -> Iterator[Api]:
    with postgres.new_database(migrated_template) as name:
        yield from serve(postgres.dsn_of(name))


@pytest.fixture
def own_api(database) -> Iterator[Api]:
    yield from serve(database)
