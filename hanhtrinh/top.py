"""What `hanhtrinh top` shows of each part, made of two readings of its metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx

from hanhtrinh.errors import CommandError
from hanhtrinh.scraping import Now, Scrape, ScrapeError, quantile, rises, scrape
from hanhtrinh.settings import Settings

Part = Literal["worker", "gateway", "bridge", "auth", "upkeep"]
How = Literal["rate", "now", "quantiles", "mean", "age"]
Value = float | dict[str, float | None] | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the metric, and what is made of it.

    how: rate, rises of a counter a second; now, a gauge; quantiles, p50 and p99 of a histogram;
    mean, of a histogram; age, seconds since the instant that a gauge shows (0: there was none yet).
    by: the label whose values are kept apart.
    """

    key: str
    metric: str
    how: How
    by: str | None = None


PARTS: Final[dict[Part, tuple[Line, ...]]] = {
    "worker": (
        Line("received_per_s", "hanhtrinh_received_messages_total", "rate"),
        Line("messages_per_s", "hanhtrinh_messages_total", "rate"),
        Line("fixes_per_s", "hanhtrinh_fixes_total", "rate", "outcome"),
        Line("weighings_per_s", "hanhtrinh_weighings_total", "rate"),
        Line("lag_s", "hanhtrinh_lag_seconds", "quantiles"),
        Line("batch_messages", "hanhtrinh_batch_messages", "quantiles"),
        Line("batch_s", "hanhtrinh_batch_seconds", "quantiles"),
        Line("stage_s", "hanhtrinh_stage_seconds", "mean", "stage"),
        Line("waiting_messages", "hanhtrinh_waiting_messages", "now"),
        Line("held_messages", "hanhtrinh_held_messages", "now"),
        Line("held_bytes", "hanhtrinh_held_bytes", "now"),
        Line("pending_messages", "hanhtrinh_pending_messages", "now", "shard"),
        Line("refused_per_s", "hanhtrinh_quarantined_total", "rate", "reason"),
        Line("refused", "hanhtrinh_quarantined_total", "now", "reason"),
        Line("failures_per_s", "hanhtrinh_batch_failures_total", "rate", "error"),
        Line("shard_held", "hanhtrinh_shard_held", "now", "shard"),
        Line("broker_up", "hanhtrinh_broker_up", "now", "broker"),
        Line("database_up", "hanhtrinh_database_up", "now"),
    ),
    "gateway": (
        Line("messages_per_s", "hanhtrinh_gateway_messages_total", "rate", "codec"),
        Line("connections_per_s", "hanhtrinh_gateway_connections_total", "rate", "codec"),
        Line("open_connections", "hanhtrinh_gateway_open_connections", "now"),
        Line("waiting_connections", "hanhtrinh_gateway_waiting_connections", "now"),
        Line("held_messages", "hanhtrinh_gateway_held_messages", "now"),
        Line("held_bytes", "hanhtrinh_gateway_held_bytes", "now"),
        Line("refused_per_s", "hanhtrinh_gateway_refused_frames_total", "rate", "reason"),
        Line("refused", "hanhtrinh_gateway_refused_frames_total", "now", "reason"),
        Line("closed_per_s", "hanhtrinh_gateway_closed_total", "rate", "reason"),
        Line("http_answers_per_s", "hanhtrinh_gateway_http_answers_total", "rate", "status"),
        Line("broker_up", "hanhtrinh_gateway_broker_up", "now"),
    ),
    "bridge": (
        Line("forwarded_per_s", "hanhtrinh_bridge_forwarded_total", "rate", "provider"),
        Line("redelivered_per_s", "hanhtrinh_bridge_redelivered_total", "rate", "queue"),
        Line("open_messages", "hanhtrinh_bridge_open", "now"),
        Line("aside_per_s", "hanhtrinh_bridge_aside_total", "rate", "reason"),
        Line("aside", "hanhtrinh_bridge_aside_total", "now", "reason"),
        Line("refused_per_s", "hanhtrinh_bridge_refused_total", "rate", "code"),
        Line("refused", "hanhtrinh_bridge_refused_total", "now", "code"),
        Line("failures_per_s", "hanhtrinh_bridge_failures_total", "rate", "broker"),
        Line("missing_exchanges", "hanhtrinh_bridge_missing_exchanges", "now"),
        Line("brokers_up", "hanhtrinh_bridge_up", "now"),
    ),
    "auth": (
        Line("answers_per_s", "hanhtrinh_auth_answers_total", "rate", "verdict"),
        Line("answers", "hanhtrinh_auth_answers_total", "now", "verdict"),
        Line("answer_s", "hanhtrinh_auth_answer_seconds", "quantiles"),
        Line("batch_questions", "hanhtrinh_auth_batch_questions", "quantiles"),
        Line("waiting_questions", "hanhtrinh_auth_waiting", "now"),
        Line("slow_checks", "hanhtrinh_auth_slow", "now"),
        Line("kicked_per_s", "hanhtrinh_auth_kicked_total", "rate"),
        Line("broker_up", "hanhtrinh_auth_broker_up", "now"),
        Line("database_up", "hanhtrinh_auth_database_up", "now"),
        Line("listening", "hanhtrinh_auth_listening", "now"),
    ),
    "upkeep": (
        Line("rounds", "hanhtrinh_upkeep_rounds_total", "now", "outcome"),
        Line("done", "hanhtrinh_upkeep_work_total", "now", "what"),
        Line("waiting_hours", "hanhtrinh_upkeep_waiting_hours", "now"),
        Line("last_round_s", "hanhtrinh_upkeep_last_done_timestamp_seconds", "age"),
    ),
}
"""The lines of each part. A part is known by the metric of its last line, which it always has."""


@dataclass(frozen=True, slots=True)
class Target:
    """A part, and where its metrics are."""

    part: Part
    url: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one part was doing between two readings; or why nobody knows."""

    target: Target
    values: dict[str, Value]
    error: str | None = None


Reading = Scrape | str
"""What a target answered, or why it did not."""


def targets(settings: Settings, given: dict[Part, list[str]]) -> list[Target]:
    """Whom to ask: those whose URLs are given; if there are none, those of the settings."""
    asked = [Target(part, _with_path(url)) for part, urls in given.items() for url in urls]
    ports: dict[Part, int | None] = {
        "worker": settings.ingest.metrics_port,
        "gateway": settings.gateway.metrics_port,
        "bridge": settings.bridge.metrics_port,
        "auth": settings.auth.metrics_port,
        "upkeep": settings.upkeep.metrics_port,
    }
    asked = asked or [
        Target(part, f"http://127.0.0.1:{port}/metrics") for part, port in ports.items() if port
    ]
    if not asked:
        raise CommandError(
            "top: nobody to ask: set ingest.metrics_port, gateway.metrics_port, "
            "bridge.metrics_port, auth.metrics_port or upkeep.metrics_port, or name a URL: "
            "--worker http://127.0.0.1:9101"
        )
    return asked


def _with_path(url: str) -> str:
    whole = url if "://" in url else f"http://{url}"
    return whole if "/" in whole.partition("://")[2] else f"{whole}/metrics"


async def read(client: httpx.AsyncClient, asked: list[Target], now: Now) -> list[Reading]:
    """One reading of each target, all at once."""
    return list(await asyncio.gather(*(_read(client, target, now) for target in asked)))


async def _read(client: httpx.AsyncClient, target: Target, now: Now) -> Reading:
    try:
        found = await scrape(client, target.url, now)
    except ScrapeError as error:
        return str(error)
    if PARTS[target.part][-1].metric not in found.samples:
        return f"{target.url}: expected metrics of {target.part}, got others"
    return found


def compare(target: Target, before: Reading, after: Reading) -> Seen:
    """What a part was doing between two readings. Without a first there are no rates yet."""
    if isinstance(after, str):
        return Seen(target, {}, after)
    first = None if isinstance(before, str) else before
    return Seen(target, {line.key: _value(line, first, after) for line in PARTS[target.part]})


def _value(line: Line, before: Scrape | None, after: Scrape) -> Value:
    if line.how == "now":
        return _alone(after.of(line.metric, line.by), line)
    if line.how == "age":
        return _age(after.of(line.metric).get(""), after.dated_s)
    if before is None:
        return None
    return _between(line, before, after)


def _between(line: Line, before: Scrape, after: Scrape) -> Value:
    if line.how == "quantiles":
        return {
            "p50": quantile(before, after, line.metric, 0.5),
            "p99": quantile(before, after, line.metric, 0.99),
        }
    if line.how == "mean":
        sums = rises(before, after, f"{line.metric}_sum", line.by)
        counts = rises(before, after, f"{line.metric}_count", line.by)
        return {key: sums[key] / n if n else None for key, n in counts.items()}
    seconds = after.at_s - before.at_s
    if seconds <= 0:
        return None
    grown = rises(before, after, line.metric, line.by)
    return _alone({key: value / seconds for key, value in grown.items()}, line)


def _age(instant_s: float | None, now_s: float | None) -> float | None:
    return now_s - instant_s if instant_s and now_s else None


def _alone(found: dict[str, float], line: Line) -> Value:
    """Of a metric that no label divides, the number; none if the part does not have it."""
    return {**found} if line.by else found.get("")


async def watch(
    asked: list[Target],
    interval_s: float,
    show: Callable[[list[Seen], float], bool],
    now: Now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Read every target again and again; `show` is given what was seen until it returns False.

    Raises CommandError if nobody answers the first time: then the URLs are wrong.
    """
    async with httpx.AsyncClient(trust_env=False) as client:
        before = await read(client, asked, now)
        errors = [reading for reading in before if isinstance(reading, str)]
        if len(errors) == len(asked):
            raise CommandError("\n".join(("top: nobody answers", *errors)))
        while True:
            began = now()
            await sleep(interval_s)
            after = await read(client, asked, now)
            seen = [compare(*each) for each in zip(asked, before, after, strict=True)]
            if not show(seen, now() - began):
                return
            before = after


def as_json(seen: list[Seen], interval_s: float) -> dict[str, Any]:
    """For scripts: every part with its numbers; null is what nobody knows."""
    return {
        "ok": all(part.error is None for part in seen),
        "interval_s": round(interval_s, 3),
        "parts": [
            {
                "part": part.target.part,
                "url": part.target.url,
                "error": part.error,
                **part.values,
            }
            for part in seen
        ],
    }
