"""What the database's constraints say, in the registry's words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.errors import (
    CheckViolation,
    ExclusionViolation,
    ForeignKeyViolation,
    UniqueViolation,
)

from storage.errors import AlreadyThereError, NotThereError, RegistryError


@asynccontextmanager
async def change(conn: AsyncConnection, what: str) -> AsyncIterator[None]:
    """A transaction (a savepoint within the caller's) whose refusals are RegistryErrors."""
    try:
        async with conn.transaction():
            yield
    except (ExclusionViolation, UniqueViolation) as error:
        raise AlreadyThereError(f"{what}: {error.diag.message_detail}") from error
    except ForeignKeyViolation as error:
        raise NotThereError(f"{what}: {error.diag.message_detail}") from error
    except CheckViolation as error:
        raise RegistryError(
            f"{what}: refused by {error.diag.constraint_name}: {error.diag.message_detail}"
        ) from error
