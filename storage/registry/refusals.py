"""Changes: of the registry one at a time; what the database refuses, in the registry's words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.errors import (
    CheckViolation,
    ExclusionViolation,
    ForeignKeyViolation,
    UniqueViolation,
)

from storage.errors import AlreadyThereError, NotThereError, RegistryError
from storage.queries import queries

SQL = queries("registry")

TURN_KEY: Final = 0x74_75_72_6E
"""Key of the advisory lock ("turn") of whoever changes the registry."""


async def take_turn(conn: AsyncConnection[Any]) -> None:
    """Let this transaction be the only one that changes the registry, until it ends.

    To be called before any row is locked: who holds rows and waits for a turn may be waited for by
    who has it. What others have committed meanwhile is seen by the statements that follow.
    """
    await conn.execute(SQL["take_turn"], {"key": TURN_KEY})


@asynccontextmanager
async def in_turn(conn: AsyncConnection[Any], what: str) -> AsyncIterator[None]:
    """A change of the registry, when it is this transaction's turn."""
    async with change(conn, what):
        await take_turn(conn)
        yield


@asynccontextmanager
async def change(conn: AsyncConnection[Any], what: str) -> AsyncIterator[None]:
    """A transaction (a savepoint within the caller's) whose refusals are RegistryErrors."""
    try:
        async with conn.transaction():
            yield
    except ExclusionViolation as error:
        said = error.diag  # of the triggers `touch_spans`: column and value of what clashes
        raise AlreadyThereError(
            f"{what}: {said.message_detail}", field=said.column_name, value=said.message_hint
        ) from error
    except UniqueViolation as error:
        raise AlreadyThereError(f"{what}: {error.diag.message_detail}") from error
    except ForeignKeyViolation as error:
        raise NotThereError(f"{what}: {error.diag.message_detail}") from error
    except CheckViolation as error:
        raise RegistryError(f"{what}: {_words(error)}") from error


def _words(error: CheckViolation) -> str:
    """What a trigger of ours says, or a table's own check; of that without the row."""
    name = error.diag.constraint_name or ""
    if name in (error.diag.message_primary or ""):
        return f"refused by {name}"  # the detail is the whole row: digests of secrets are in some
    return f"refused by {name}: {error.diag.message_detail}"
