"""`hanhtrinh top`: what it makes of metrics behind real HTTP servers, and says of what is none."""

import asyncio
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter
from rich.console import Console
from typer.testing import CliRunner

from hanhtrinh.cli import app
from hanhtrinh.errors import CommandError
from hanhtrinh.scraping import Scrape, ScrapeError, quantile, rises, scrape
from hanhtrinh.settings import load
from hanhtrinh.top import PARTS, Part, Target, as_json, compare, targets, watch
from hanhtrinh.top_screen import named, screen, written
from hanhtrinh.upkeep_metrics import UpkeepMetrics
from ingest.bridge.metrics import BridgeMetrics
from ingest.identity.metrics import AuthMetrics
from ingest.source import Backlog
from tests.forked import ROOT
from tests.hanhtrinh import instruments

NOBODY = "http://127.0.0.1:1/metrics"


class Seconds:
    """A clock that is put forward by whoever sleeps by it."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def seen_of(asked, between=lambda: None, interval_s=2.0):
    """What is seen of an interval in which `between` happened."""
    clock, found = Seconds(), []

    async def sleep(seconds):
        clock.now_s += seconds
        between()

    def show(seen, seconds):
        found.append((seen, seconds))
        return False

    asyncio.run(watch(asked, interval_s, show, clock, sleep))
    ((seen, seconds),) = found
    assert seconds == interval_s
    return seen


def values_of(part, metrics, between=lambda: None):
    with instruments.on_a_port(metrics.registry) as url:
        (seen,) = seen_of([Target(part, url)], between)
    assert seen.error is None
    return seen.values


def test_every_line_is_made_of_a_metric_that_there_is():
    known = instruments.labels_of_all()
    for line in (line for lines in PARTS.values() for line in lines):
        is_histogram = line.how in {"quantiles", "mean"}
        name = line.metric + ("_bucket" if is_histogram else "")
        assert name in known, line.key
        assert line.by is None or line.by in known[name], line.key


def test_rates_of_a_worker_are_what_two_readings_say():
    metrics = instruments.worker(
        a=Backlog(True, 3, 40, 1 << 19, 32_767), b=Backlog(False, 0, 10, 1 << 19, 32_767)
    )
    metrics.messages.inc(1_000)  # before: of no interest
    metrics.quarantined.labels("bad_syntax").inc(7)
    metrics.shard_held.labels("4").set(1)
    metrics.database_up.set(1)

    def between():
        metrics.received.inc(600)
        metrics.messages.inc(500)
        metrics.fixes.labels("stored").inc(800)
        metrics.quarantined.labels("bad_syntax").inc(1)
        metrics.quarantined.labels("unknown_device").inc(10)
        metrics.lag.observe(np.linspace(0, 1e6, 1001).astype(np.int64))
        metrics.batch_messages.observe(256)
        metrics.stage_s.labels("judged").observe(0.1)
        metrics.stage_s.labels("judged").observe(0.3)

    values = values_of("worker", metrics, between)
    assert (values["received_per_s"], values["messages_per_s"]) == (300, 250)
    assert values["fixes_per_s"] == {"stored": 400}
    assert values["refused_per_s"] == {
        "bad_syntax": 0.5, "unknown_device": 5, "internal_error": 0, "killed_worker": 0,
    }  # fmt: skip
    assert values["refused"] == {
        "bad_syntax": 8, "unknown_device": 10, "internal_error": 0, "killed_worker": 0,
    }  # fmt: skip
    assert values["lag_s"]["p50"] == pytest.approx(0.5, rel=0.08)
    assert values["lag_s"]["p99"] == pytest.approx(0.99, rel=0.08)
    assert 64 < values["batch_messages"]["p50"] <= 256
    assert values["stage_s"]["judged"] == pytest.approx(0.2)
    assert values["stage_s"]["stored"] is None
    queue = values["waiting_messages"], values["held_messages"], values["held_bytes"]
    assert queue == (3, 50, 1 << 20)
    assert values["shard_held"] == {"4": 1}
    assert (values["broker_up"], values["database_up"]) == ({"a": 1, "b": 0}, 1)


def test_gateway_bridge_and_auth_are_shown_by_their_own_metrics():
    gateway, bridge, auth = instruments.gateway(), BridgeMetrics(), AuthMetrics()

    def between():
        gateway.messages["gt06"] += 10
        gateway.refused["gt06", "bad_checksum"] += 2
        gateway.refused["jt808", "bad_checksum"] += 2
        bridge.forwarded.labels("one").inc(20)
        bridge.aside.labels("q", "too_large").inc()
        bridge.open.set(9)
        auth.answers["granted"] += 4
        auth.answer_s.observe(0.004)
        auth.waiting = lambda: 17

    parts: dict[Part, Any] = {"gateway": gateway, "bridge": bridge, "auth": auth}
    with ExitStack() as stack:
        asked = [
            Target(part, stack.enter_context(instruments.on_a_port(metrics.registry)))
            for part, metrics in parts.items()
        ]
        first, second, third = (part.values for part in seen_of(asked, between))
    assert first["messages_per_s"] == {"gt06": 5}
    assert first["refused_per_s"] == {"bad_checksum": 2}
    assert (first["open_connections"], first["broker_up"]) == (0, 0)
    assert second["forwarded_per_s"] == {"one": 10}
    assert (second["aside"], second["open_messages"]) == ({"too_large": 1}, 9)
    assert third["answers_per_s"]["granted"] == 2
    assert third["waiting_questions"] == 17
    assert 0.0025 < third["answer_s"]["p99"] <= 0.005


def test_upkeep_is_shown_by_when_it_last_did_a_round_and_what_waits_for_one():
    metrics = UpkeepMetrics()
    fresh = values_of("upkeep", metrics)
    metrics.rounds.update(done=3, failed=1)
    metrics.last_done_s = time.time() - 90
    metrics.waiting_hours = 12
    values = values_of("upkeep", metrics)
    assert (fresh["last_round_s"], fresh["waiting_hours"]) == (None, 0)
    assert values["rounds"] == {"done": 3, "left_out": 0, "failed": 1}
    assert values["waiting_hours"] == 12
    assert 88 <= values["last_round_s"] < 150
    assert compare(Target("upkeep", NOBODY), "away", Scrape(1, {})).values["last_round_s"] is None


def test_a_counter_that_began_anew_counts_from_there():
    before, after = Scrape(0, {"c_total": [({}, 1_000.0)]}), Scrape(1, {"c_total": [({}, 30.0)]})
    assert rises(before, after, "c_total") == {"": 30}


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((0, 0, 0), 0.5, None),
        ((4, 4, 4), 0.5, 0.5),
        ((0, 10, 10), 0.5, 1.5),
        ((0, 10, 10), 0.0, 1.0),
        ((0, 10, 10), 1.0, 2.0),
        ((1, 1, 2), 0.99, 2.0),
    ],
)
def test_a_quantile_is_read_evenly_within_its_bucket(counts, share, expected):
    bounds = ("1.0", "2.0", "+Inf")
    before, after = (
        Scrape(0, {"h_bucket": [({"le": b}, float(n)) for b, n in zip(bounds, ns, strict=True)]})
        for ns in ((0, 0, 0), counts)
    )
    assert quantile(before, after, "h", share) == expected


def test_who_does_not_answer_is_named_beside_those_who_do():
    metrics = instruments.worker()
    with instruments.on_a_port(metrics.registry) as url:
        worker, bridge = seen_of([Target("worker", url), Target("bridge", NOBODY)])
    assert worker.error is None
    assert bridge.error is not None
    assert bridge.error.startswith(f"{NOBODY}: nobody answers (")
    made = as_json([worker, bridge], 2.0)
    assert not made["ok"]
    assert [part["error"] is None for part in made["parts"]] == [True, False]


def test_if_nobody_answers_the_first_time_it_says_who_was_asked():
    with pytest.raises(CommandError, match=f"(?s)nobody answers.*{NOBODY}"):
        seen_of([Target("worker", NOBODY), Target("auth", NOBODY)])


def test_a_part_that_comes_back_has_no_rates_before_its_second_reading():
    after = Scrape(1, {"hanhtrinh_messages_total": [({}, 5.0)]})
    values = compare(Target("worker", NOBODY), "away", after).values
    assert values["messages_per_s"] is None
    assert values["refused"] == {}


def test_another_part_behind_the_url_is_said_to_be_another():
    with (
        instruments.on_a_port(BridgeMetrics().registry) as url,
        pytest.raises(CommandError, match="expected metrics of worker, got others"),
    ):
        seen_of([Target("worker", url)])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(404), "expected status 200, got 404"),
        (httpx.Response(302, headers={"Location": "/"}), "expected status 200, got 302"),
        (httpx.Response(200, content=b"<html>{"), "expected Prometheus' text"),
        (httpx.Response(200, content=b"\xff\xfe"), "expected Prometheus' text"),
        (httpx.Response(200, content=b"#" * (9 << 20)), "more than 8388608 bytes"),
    ],
)
def test_what_is_no_text_of_prometheus_is_refused(answer, says):
    async def go():
        transport = httpx.MockTransport(lambda _: answer)
        async with httpx.AsyncClient(transport=transport) as client:
            await scrape(client, "http://somewhere/metrics", lambda: 0.0)

    with pytest.raises(ScrapeError, match=f"http://somewhere/metrics: .*{says}"):
        asyncio.run(go())


def test_parts_are_asked_at_the_ports_of_the_settings_unless_a_url_is_given():
    environment = {"HANHTRINH_INGEST__METRICS_PORT": "9101", "HANHTRINH_AUTH__METRICS_PORT": "9104"}
    settings = load(environment=environment).settings
    assert targets(settings, {}) == [
        Target("worker", "http://127.0.0.1:9101/metrics"),
        Target("auth", "http://127.0.0.1:9104/metrics"),
    ]
    given = ["one:9101", "https://two/prefix/metrics"]
    assert targets(settings, {"worker": given}) == [
        Target("worker", "http://one:9101/metrics"),
        Target("worker", "https://two/prefix/metrics"),
    ]
    with pytest.raises(CommandError, match=r"set ingest\.metrics_port, .* or name a URL"):
        targets(load(environment={}).settings, {})


def test_the_screen_shows_every_part_and_takes_no_name_for_markup():
    metrics = instruments.worker()
    metrics.quarantined.labels("[red]bad[/]").inc(2_000)
    with instruments.on_a_port(metrics.registry) as url:
        seen = seen_of([Target("worker", url), Target("gateway", NOBODY)])
    drawn = io.StringIO()
    Console(width=120, file=drawn).print(screen(seen, 2.0))
    text = drawn.getvalue()
    assert "[red]bad[/] 2,000" in text
    assert "nobody answers" in text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("messages_per_s", 1234.5, "1,234.5/s"),
        ("messages_per_s", None, "-"),
        ("lag_s", {"p50": 0.25, "p99": None}, "p50 0.250 s, p99 -"),
        ("held_bytes", float(3 << 20), "3.0 MiB"),
        ("refused", {f"r{n:02}": float(n) for n in range(11)},
         "r10 10, r09 9, r08 8, r07 7, r06 6, r05 5, r04 4, r03 3, and 2 more"),
        ("refused", {}, "-"),
        ("broker_up", 1.0, "yes "),
        ("broker_up", None, "no "),
        ("shard_held", {"3": 0.0}, "3 no "),
    ],
)  # fmt: skip
def test_values_are_written_with_their_units(key, value, text):
    assert written(key, value).plain == text


def test_lines_are_called_by_what_they_count():
    shown = {key: named(key, ["refused_per_s", "refused"]).plain for key in (
        "refused_per_s", "refused", "lag_s", "held_bytes", "held_messages",
    )}  # fmt: skip
    assert [*shown.values()] == ["refused", "refused, in all", "lag", "held", "held messages"]


def called(*arguments):
    return CliRunner().invoke(app, ["top", *arguments])


def test_once_as_json_prints_one_object(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    metrics = instruments.worker()
    metrics.messages.inc(5)
    with instruments.on_a_port(metrics.registry) as url:
        said = called("--worker", url, "--interval", "0.1", "--once", "--json")
    assert said.exit_code == 0, said.output
    (line,) = said.stdout.splitlines()
    (part,) = json.loads(line)["parts"]
    assert (part["part"], part["url"], part["error"]) == ("worker", url, None)
    assert part["messages_per_s"] == 0
    assert part["lag_s"] == {"p50": None, "p99": None}


def test_exit_codes_say_whether_all_answered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with instruments.on_a_port(instruments.worker().registry) as url:
        some = called("--worker", url, "--auth", NOBODY, "--interval", "0.1", "--once")
    assert some.exit_code == 1
    assert "nobody answers" in some.stdout
    nobody = called("--worker", NOBODY, "--once", "--json")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
    assert "nobody answers" in nobody.stderr
    assert called("--worker", NOBODY, "--json").exit_code == 2
    no_terminal = called("--worker", NOBODY)
    assert no_terminal.exit_code == 2
    assert "expected --once" in no_terminal.stderr


def test_metrics_of_strangers_are_no_part_of_ours():
    registry = CollectorRegistry()
    Counter("requests", "Somebody else's", registry=registry).inc()
    with (
        instruments.on_a_port(registry) as url,
        pytest.raises(CommandError, match="expected metrics of gateway"),
    ):
        seen_of([Target("gateway", url)])


@pytest.fixture
def _interruptible():
    """Programs inherit that Ctrl-C is ignored, as it is where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_on_a_terminal_it_draws_until_ctrl_c(tmp_path):
    terminal, its_end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LINES": "50"}
    with (
        instruments.on_a_port(instruments.worker().registry) as url,
        subprocess.Popen(
            [sys.executable, "-m", "hanhtrinh", "top", "--worker", url, "--interval", "0.1"],
            stdin=its_end, stdout=its_end, stderr=its_end, cwd=tmp_path, env=environment,
        ) as process,
    ):  # fmt: skip
        os.close(its_end)
        drawn = b""
        try:
            while drawn.count(b"held messages") < 3:
                drawn += os.read(terminal, 65_536)
            process.send_signal(signal.SIGINT)
            with suppress(OSError):  # how Linux says that the other end is closed
                while more := os.read(terminal, 65_536):
                    drawn += more
            assert process.wait(60) == 0
        finally:
            process.kill()
    os.close(terminal)
    assert b"Traceback" not in drawn
