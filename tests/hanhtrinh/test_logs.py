"""Logs: one JSON object a line, ours and those of libraries alike."""

import json
import logging

import pytest
import structlog

from hanhtrinh import logs
from hanhtrinh.settings.model import Log
from ingest.stages import STAGES, BatchNames, Stages


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def test_our_events_and_those_of_libraries_are_json_lines(capsys):
    logs.configure(Log(format="json"))
    structlog.get_logger("ours").info("batch.committed", fixes=3)
    logging.getLogger("theirs").warning("it is %s", "late")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["fixes"], ours["level"]) == ("batch.committed", 3, "info")
    assert (theirs["event"], theirs["logger"]) == ("it is late", "theirs")


def test_an_exception_is_one_line_too(capsys):
    logs.configure(Log(format="json"))
    try:
        int("no")
    except ValueError:
        structlog.get_logger("ours").exception("batch.failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_what_is_less_severe_than_the_level_is_not_written(capsys):
    logs.configure(Log(format="json", level="warning"))
    structlog.get_logger("ours").info("batch.committed")
    logging.getLogger("theirs").info("hello")
    assert capsys.readouterr().err == ""


def test_pretty_lines_are_no_json(capsys):
    logs.configure(Log(format="pretty"))
    structlog.get_logger("ours").info("batch.committed", fixes=3)
    assert "batch.committed" in capsys.readouterr().err


def test_every_line_of_a_batch_carries_its_name_and_no_other_line_does(capsys):
    logs.configure(Log(format="json", level="debug"))
    names = BatchNames()
    for _ in range(2):
        with names.next():
            structlog.get_logger("ours").debug("batch.received", messages=3)
            logging.getLogger("theirs").warning("within")
    structlog.get_logger("ours").info("registry.loaded")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    first, second = lines[0]["batch"], lines[2]["batch"]
    assert [line.get("batch") for line in lines] == [first, first, second, second, None]
    assert first != second


def test_batches_of_two_processes_never_have_the_same_name():
    one, two = BatchNames(), BatchNames()
    drawn = set()
    for names in (one, two):
        for _ in range(3):
            with names.next() as name:
                drawn.add(name)
    assert len(drawn) == 6


def test_stages_are_timed_one_after_the_other():
    ticks = iter([0.0, 1.0, 3.0, 3.5])
    stages = Stages(lambda: next(ticks))
    for stage in ("decoded", "judged", "decoded"):
        stages.ended(stage)
    assert stages.seconds == {"decoded": 1.5, "judged": 2.0}
    assert stages.seconds.keys() <= set(STAGES)
