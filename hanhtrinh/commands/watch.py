"""The verb that watches a running installation: top."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import AsJson, run, state_of, stderr, write_json
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:  # a fifth of a second, which --help need not wait for
    from hanhtrinh.top import Target

Urls = list[str] | None


def top(
    context: typer.Context,
    worker: Annotated[Urls, typer.Option(help="URL of a worker's metrics; repeatable.")] = None,
    gateway: Annotated[Urls, typer.Option(help="URL of a gateway's metrics.")] = None,
    bridge: Annotated[Urls, typer.Option(help="URL of a bridge's metrics.")] = None,
    auth: Annotated[Urls, typer.Option(help="URL of the metrics of `hanhtrinh auth`.")] = None,
    upkeep: Annotated[Urls, typer.Option(help="URL of the metrics of `hanhtrinh upkeep`.")] = None,
    interval_s: Annotated[
        float,
        typer.Option(
            "--interval", min=0.1, max=3600, callback=finite, help="Seconds between readings."
        ),
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show one interval, then end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch worker, gateway, bridge, auth and upkeep through their metrics, until Ctrl-C.

    Without a URL, those are asked whose metrics_port is set. With --once it exits with 1 if
    anybody who was asked did not answer.
    """
    if as_json and not once:
        raise UsageError("top: --json goes with --once")
    from hanhtrinh.top import Part, targets  # noqa: PLC0415

    given: dict[Part, list[str]] = {
        "worker": worker or [], "gateway": gateway or [], "bridge": bridge or [],
        "auth": auth or [], "upkeep": upkeep or [],
    }  # fmt: skip
    asked = targets(state_of(context).settings, given)
    if once:
        _once(asked, interval_s, as_json=as_json)
    else:
        _live(asked, interval_s)


def _once(asked: "list[Target]", interval_s: float, *, as_json: bool) -> None:
    from hanhtrinh.top import Seen, watch  # noqa: PLC0415
    from hanhtrinh.top import as_json as as_object  # noqa: PLC0415
    from hanhtrinh.top_screen import screen  # noqa: PLC0415

    found: list[Seen] = []

    def show(seen: list[Seen], seconds: float) -> bool:
        found.extend(seen)
        if as_json:
            write_json(as_object(seen, seconds))
        else:
            Console(highlight=False).print(screen(seen, seconds))
        return False

    with stderr().status("reading"):
        run(watch(asked, interval_s, show, time.monotonic))
    if any(part.error for part in found):
        raise typer.Exit(1)


def _live(asked: "list[Target]", interval_s: float) -> None:
    from hanhtrinh.top import Seen, watch  # noqa: PLC0415
    from hanhtrinh.top_screen import screen  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:
        raise UsageError("top: standard output is no terminal: expected --once")
    with (
        suppress(KeyboardInterrupt),
        Live(Text("reading"), console=console, screen=True, auto_refresh=False) as live,
    ):

        def draw(seen: list[Seen], seconds: float) -> bool:
            live.update(screen(seen, seconds), refresh=True)
            return True

        run(watch(asked, interval_s, draw, time.monotonic))
