"""The dashboard and the alerts ask for metrics that there are, and every alert is explained."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from hanhtrinh.settings import load
from tests.docs.pages import ROOT, text_of
from tests.hanhtrinh.instruments import labels_of_all

DASHBOARD = ROOT / "deploy" / "grafana" / "hanhtrinh.json"
PROMETHEUS = ROOT / "deploy" / "prometheus"
OPERATIONS = text_of(ROOT / "docs" / "operations.md")
BEFORE_SCRAPING = {"job", "instance"}
"""Labels that Prometheus adds to all."""

KNOWN = labels_of_all() | {"up": set()}
PANELS = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
RULES = text_of(PROMETHEUS / "alerts.yml")
ALERTS = dict(re.findall(r"- alert: (\w+)\n +expr: (.+)\n", RULES))
QUERIES = [
    *((panel["title"], query["expr"]) for panel in PANELS for query in panel.get("targets", ())),
    *ALERTS.items(),
]
FUNCTIONS = {
    "sum", "max", "rate", "increase", "histogram_quantile", "time",
    "by", "and", "or", "unless",
}  # fmt: skip
PLAYED = sorted((ROOT / "tests" / "deploy").glob("alerts*.yml"))


def words_of(expression):
    """Names in a query that are neither functions nor labels, and the labels that it names."""
    labels = set()
    for selector in re.findall(r"{([^}]*)}", expression):
        labels |= set(re.findall(r"(\w+)\s*[=!]", selector))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        labels |= set(re.findall(r"\w+", group))
    bare = re.sub(r"{[^}]*}|by \([^)]*\)|\[[^\]]*\]|offset \w+", " ", expression)
    return set(re.findall(r"[a-z_]\w*", bare)) - FUNCTIONS, labels


def test_there_is_something_to_look_at():
    assert len(ALERTS) == RULES.count("- alert:") >= 15
    assert len(QUERIES) > 60


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_every_query_asks_for_metrics_and_labels_that_there_are(title, expression):
    names, labels = words_of(expression)
    assert names
    assert names <= KNOWN.keys()
    assert labels <= set().union(*(KNOWN[name] for name in names)) | BEFORE_SCRAPING


def test_a_query_for_what_is_not_there_would_be_seen():
    names, labels = words_of('sum by (le, shade) (rate(hanhtrinh_lost_total{hue="red"}[5m])) > 0')
    assert names == {"hanhtrinh_lost_total"}
    assert labels == {"le", "shade", "hue"}


def test_the_dashboard_shows_every_metric_that_there_is():
    queries = [query["expr"] for panel in PANELS for query in panel.get("targets", ())]
    shown = set().union(*(words_of(expression)[0] for expression in queries))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    missing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in KNOWN} - families
    assert missing == {"hanhtrinh_last_commit_timestamp_seconds"}  # a moment, for the alert


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    covered: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & covered
        assert max(x for x, _ in cells) < 24
        covered |= cells


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_row_that_says_what_it_means_and_what_to_do(alert):
    assert re.search(rf"^\| `{alert}` \|[^|]{{20,}}\|[^|]{{20,}}\|$", OPERATIONS, re.MULTILINE)


def test_every_row_of_an_alert_has_its_alert():
    assert set(re.findall(r"^\| `(Hanhtrinh\w+)`", OPERATIONS, re.MULTILINE)) == ALERTS.keys()


@pytest.mark.parametrize("name", sorted(n for n in KNOWN if not n.endswith(("_sum", "_count"))))
def test_every_metric_of_worker_and_logins_has_a_row(name):
    if name.startswith(("hanhtrinh_gateway_", "hanhtrinh_bridge_", "hanhtrinh_api_", "up")):
        return  # docs/gateway.md, docs/bridge.md, docs/api.md
    name = name.removesuffix("_bucket")
    assert re.search(rf"^\| `{name}[`{{]", OPERATIONS, re.MULTILINE)


def test_prometheus_asks_at_the_ports_that_the_example_settings_open():
    settings = load(ROOT / "deploy" / "hanhtrinh.toml", environment={}).settings
    text = text_of(PROMETHEUS / "prometheus.yml")
    found = re.findall(r"job_name: hanhtrinh-(\w+)\n.*\n.*127\.0\.0\.1:(\d+)", text)
    assert {job: int(port) for job, port in found} == {
        "worker": settings.ingest.metrics_port,
        "gateway": settings.gateway.metrics_port,
        "bridge": settings.bridge.metrics_port,
        "auth": settings.auth.metrics_port,
        "upkeep": settings.upkeep.metrics_port,
        "api": settings.api.port,
    }


def test_every_alert_is_raised_by_the_series_that_promtool_plays():
    played = [one for file in PLAYED for one in yaml.safe_load(file.read_text("utf-8"))["tests"]]
    rules = [rule for one in played for rule in one["alert_rule_test"]]
    assert {rule["alertname"] for rule in rules if rule.get("exp_alerts")} == ALERTS.keys()


def test_prometheus_itself_takes_the_rules_and_they_do_what_they_say():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: make servers")
    for arguments in (
        ["check", "config", str(PROMETHEUS / "prometheus.yml")],
        ["test", "rules", *map(str, PLAYED)],
    ):
        done = subprocess.run(
            [promtool, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
