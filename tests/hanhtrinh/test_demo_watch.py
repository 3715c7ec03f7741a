"""What the demo draws of what it sees."""

from collections import Counter

from rich.console import Console

from hanhtrinh.demo_watch import Seen, picture


def drawn(seen, planned):
    console = Console(width=100)
    with console.capture() as said:
        console.print(picture(seen, None, planned))
    return [line.rstrip() for line in said.get().splitlines()]


def test_kinds_that_were_found_or_planned_have_a_row_and_no_others():
    seen = Seen(1.0, 12_345, violations=Counter(speeding=2, unheard_of=1))
    lines = drawn(seen, Counter(speeding=3, data_gap=1))
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    assert rows == {
        "speeding": ["2", "/", "3"], "data_gap": ["0", "/", "1"], "unheard_of": ["1", "/", "0"],
    }  # fmt: skip
    assert "12,345" in lines[0]


def test_lag_is_shown_once_there_is_one():
    assert any("-  catching up" in line for line in drawn(Seen(1.0), Counter()))
    seen = Seen(1.0, lag_ms_p50=210.4, lag_ms_p99=1_234.5)
    assert any("210 ms  median; 99 % within 1,234 ms" in line for line in drawn(seen, Counter()))
