"""Asking a database again and again, until it has what a test waits for.

Belongs here: one kept connection, because a new one costs both sides a hundred times what a short
question does, and a test that asks fifty times a second would take the processor from the worker
that it waits for.
"""

import atexit
from typing import Any

import psycopg

_kept: dict[str, psycopg.Connection[Any]] = {}
"""The connection to the database that was asked last, by its connection string."""


def ask(dsn: str, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """All rows of the answer, as of now. A server that was restarted meanwhile is found again."""
    if dsn not in _kept:
        forget()
        _kept[dsn] = psycopg.connect(dsn, autocommit=True)
    try:
        return _kept[dsn].execute(question, values).fetchall()
    except psycopg.OperationalError:
        forget()
    _kept[dsn] = psycopg.connect(dsn, autocommit=True)
    return _kept[dsn].execute(question, values).fetchall()


@atexit.register
def forget() -> None:
    """Close the connection that is kept."""
    while _kept:
        _kept.popitem()[1].close()
