"""What `hanhtrinh top` draws on a terminal: one table a part."""

from collections.abc import Callable, Iterable
from typing import Final

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hanhtrinh.top import Seen, Value

STATES: Final = ("broker_up", "database_up", "brokers_up", "listening", "shard_held")
"""Gauges that are 1 where all is well."""

MOST_SHOWN: Final = 8
"""Values of a label that one line shows, the largest first."""

UNITS: Final[tuple[tuple[str, Callable[[float], str]], ...]] = (
    ("_per_s", lambda value: f"{value:,.1f}/s"),
    ("_bytes", lambda value: f"{value / (1 << 20):,.1f} MiB"),
    ("_s", lambda value: f"{value:,.3f} s"),
    ("", lambda value: f"{value:,.0f}"),
)
"""By the end of a line's name: how its numbers are written."""


def screen(seen: list[Seen], interval_s: float) -> RenderableType:
    """Everything that was seen, drawn."""
    head = Text(f"hanhtrinh top, over {interval_s:.1f} s (Ctrl-C ends it)", style="dim")
    return Group(head, Columns([_table(part) for part in seen], padding=(1, 3)))


def _table(part: Seen) -> Table:
    # Names come from other processes: `Text` takes nothing in them for markup.
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(min_width=21)
    table.add_column(overflow="fold")
    table.add_row(Text(part.target.part, style="bold"), Text(part.target.url, style="dim"))
    if part.error is not None:
        table.add_row(Text("away", style="bold red"), Text(part.error))
    for key, value in part.values.items():
        table.add_row(named(key, part.values), written(key, value))
    return table


def named(key: str, others: Iterable[str]) -> Text:
    """What a line is called: its unit stands with its numbers."""
    name = key.removesuffix("_per_s").removesuffix("_s").removesuffix("_bytes").replace("_", " ")
    return Text(f"{name}, in all" if f"{key}_per_s" in others else name)


def written(key: str, value: Value) -> Text:
    """A value as people read it; what is wrong is red."""
    if key in STATES:
        return _state(value)
    write = next(write for ending, write in UNITS if key.endswith(ending))
    if isinstance(value, dict):
        return Text(_several(value, write))
    return Text("-" if value is None else write(value))


def _several(values: dict[str, float | None], write: Callable[[float], str]) -> str:
    if values.keys() == {"p50", "p99"}:
        chosen = [*values.items()]
    else:
        counted = [item for item in values.items() if item[1]]
        chosen = sorted(counted, key=lambda item: item[1] or 0.0, reverse=True)
    shown = [f"{name} {'-' if n is None else write(n)}" for name, n in chosen[:MOST_SHOWN]]
    more = [f"and {len(chosen) - MOST_SHOWN} more"] if len(chosen) > MOST_SHOWN else []
    return ", ".join(shown + more) or "-"


def _state(value: Value) -> Text:
    states = value if isinstance(value, dict) else {"": value}
    text = Text()
    for name, state in states.items():
        text.append(f"{name} " if name else "")
        text.append(*(("yes ", "green") if state else ("no ", "bold red")))
    return text
