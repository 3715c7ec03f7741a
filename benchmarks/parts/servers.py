"""The embedded servers for one benchmark, in a folder that is removed afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres
from storage.migrations import upgrade


@contextmanager
def new_folder() -> Iterator[DataFolder]:
    """A data folder, removed at the end."""
    with DataFolder.open() as folder:
        try:
            yield folder
        finally:
            folder.remove()


@contextmanager
def new_database(folder: DataFolder) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL as the demo runs it (commits reach the disk), migrated and empty."""
    with EmbeddedPostgres(folder) as postgres:
        upgrade(postgres.dsn)
        yield postgres
