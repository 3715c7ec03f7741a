"""However long a piece of work takes, the next one fits: by a clock of the test's own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.pace import GROWTH, Pace

BUDGET_S = 0.5
FIRST, MOST = 1000, 20_000


class Machine:
    """Takes so long for a unit, and so long for any piece; a clock that it moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.unit_s = 25e-6
        self.piece_s = 0.02

    def seconds(self, amount: int) -> float:
        began = self.now
        self.now += self.piece_s + amount * self.unit_s
        return self.now - began


def slices(machine: Machine, pace: Pace, work: int) -> list[float]:
    """Do all of the work, piece by piece; how long each piece took."""
    took = []
    while work:
        amount = min(work, pace.amount)
        took.append(machine.seconds(amount))
        pace.took(amount, took[-1])
        work -= amount
    return took


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 20_000), st.floats(1.0, 100.0)), min_size=1, max_size=6),
    st.floats(0.0, 0.2),
)
def test_only_the_first_piece_of_a_machine_that_has_become_slower_takes_longer(loads, piece_s):
    machine, pace = Machine(), Pace(BUDGET_S, FIRST, MOST)
    machine.piece_s = piece_s
    for work, slower in loads:
        machine.unit_s = 25e-6 * slower
        took = slices(machine, pace, work)
        # What one piece has taught holds for the next; a single unit is the least there is.
        assert max(took[1:], default=0.0) <= max(BUDGET_S, machine.unit_s) + piece_s + 1e-6


def test_work_grows_to_what_fits_and_no_further():
    machine, pace = Machine(), Pace(BUDGET_S, FIRST, MOST)
    took = slices(machine, pace, 500_000)
    assert max(took) <= BUDGET_S
    assert len(took) < 40  # of some 27 that fill the budget
    machine.unit_s *= 1000  # half a second holds 19
    slices(machine, pace, 100)
    assert pace.amount <= 20


def test_pieces_that_are_small_by_chance_do_not_raise_what_is_tried_next():
    pace = Pace(BUDGET_S, FIRST, MOST)
    for _ in range(100):
        pace.took(3, 0.001)
    assert pace.amount == FIRST
    pace.took(FIRST, 0.01)
    assert pace.amount == FIRST * GROWTH


def test_what_fails_is_halved_until_it_stands_alone():
    pace = Pace(BUDGET_S, FIRST, MOST)
    amounts = []
    while pace.amount > 1:
        amounts.append(pace.amount)
        pace.failed(pace.amount)
    assert amounts == [1000, 500, 250, 125, 62, 31, 15, 7, 3]
