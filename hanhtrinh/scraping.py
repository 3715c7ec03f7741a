"""Scraping: the metrics of a part, read from its port, and what happened between two readings.

Belongs here: Prometheus' text and its arithmetic. Does not belong here: which metrics there are
(top.py).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

MOST_BYTES: Final = 8 << 20
"""Ours are below 100 kB: whatever sends more is something else."""

PATIENCE_S: Final = 5.0

Now = Callable[[], float]
Sample = tuple[Mapping[str, str], float]


class ScrapeError(Exception):
    """No metrics were to be had; the message says from where, and why."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading. at_s: seconds of a clock that never goes back. samples: by name.

    dated_s: by the clock of who answered, whole seconds since 1970; None where no date was said.
    """

    at_s: float
    samples: Mapping[str, list[Sample]] = field(repr=False)
    dated_s: float | None = None

    def of(self, name: str, by: str | None = None) -> dict[str, float]:
        """Sums of a metric's samples by the value of a label; by none, all under ""."""
        found: dict[str, float] = {}
        for labels, value in self.samples.get(name, ()):
            key = labels.get(by, "") if by else ""
            found[key] = found.get(key, 0.0) + value
        return found


async def scrape(client: httpx.AsyncClient, url: str, now: Now) -> Scrape:
    """Read the metrics at a URL once. Raises ScrapeError."""
    try:
        async with client.stream("GET", url, timeout=PATIENCE_S) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ScrapeError(f"{url}: expected status 200, got {answer.status_code}")
            dated_s = _dated_s(answer)
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ScrapeError(f"{url}: expected metrics, got more than {MOST_BYTES} bytes")
    except httpx.InvalidURL as error:
        raise ScrapeError(f"{url}: expected such as http://127.0.0.1:9101 ({error})") from error
    except httpx.HTTPError as error:
        raise ScrapeError(f"{url}: nobody answers ({_said(error)})") from error
    try:
        return Scrape(now(), _samples(body.decode("utf-8")), dated_s)
    except (ValueError, KeyError) as error:
        raise ScrapeError(f"{url}: expected Prometheus' text, got something else") from error


def _dated_s(answer: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:
        return None


def _said(error: httpx.HTTPError) -> str:
    return str(error).strip() or type(error).__name__


def _samples(text: str) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def rises(before: Scrape, after: Scrape, name: str, by: str | None = None) -> dict[str, float]:
    """How much a counter rose between two readings, by the value of a label.

    One that fell was begun anew by a restart: then what it shows rose since.
    """
    old = before.of(name, by)
    return {
        key: value - old.get(key, 0.0) if value >= old.get(key, 0.0) else value
        for key, value in after.of(name, by).items()
    }


def quantile(before: Scrape, after: Scrape, name: str, share: float) -> float | None:
    """A quantile of what a histogram counted between two readings; None if that was nothing.

    Read as Prometheus does: evenly within a bucket; above the last bound, that bound.
    """
    grown = rises(before, after, f"{name}_bucket", "le")
    below = sorted((float(bound), count) for bound, count in grown.items())
    if not below or below[-1][1] <= 0:
        return None
    rank = share * below[-1][1]
    for (low, fewer), (high, count) in _steps(below):
        if count >= rank and count > fewer:
            if math.isinf(high):
                return low
            return low + (high - low) * (rank - fewer) / (count - fewer)
    return None


def _steps(
    below: list[tuple[float, float]],
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Each bucket's bounds, with the counts up to them."""
    return zip([(0.0, 0.0), *below[:-1]], below, strict=True)
