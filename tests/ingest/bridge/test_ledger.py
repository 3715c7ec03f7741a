"""Ledger: acknowledgements in as few words as possible, and none too early."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.bridge.ledger import PATIENT, Ledger


def delivered(count):
    ledger = Ledger()
    for tag in range(1, count + 1):
        ledger.deliver(tag)
    return ledger


def test_what_settles_in_order_is_acknowledged_in_one_word():
    ledger = delivered(5)
    for tag in (2, 1, 3):
        ledger.settle(tag)
    assert ledger.due() == (3, [])
    assert ledger.open == 2
    assert ledger.due() == (0, [])


def test_nothing_above_an_open_delivery_is_acknowledged_with_what_is_below():
    ledger = delivered(4)
    for tag in (1, 3, 4):
        ledger.settle(tag)
    assert ledger.due() == (1, [])
    ledger.settle(2)
    assert ledger.due() == (4, [])


def test_a_delivery_that_is_held_back_holds_back_no_other():
    count = PATIENT + 1
    ledger = delivered(count)
    for tag in range(2, count + 1):
        ledger.settle(tag)
    assert ledger.due() == (0, list(range(2, count + 1)))
    assert ledger.open == 1
    ledger.settle(1)
    # Up to 1 and no further: RabbitMQ has forgotten the tags that it was told of singly.
    assert ledger.due() == (1, [])
    assert ledger.open == 0


def test_at_the_end_everything_settled_is_acknowledged():
    ledger = delivered(3)
    ledger.settle(3)
    assert ledger.due(patient=False) == (0, [3])
    assert ledger.open == 2


class Server:
    """What RabbitMQ does with acknowledgements, the slow and obvious way."""

    def __init__(self, count):
        self.outstanding = set(range(1, count + 1))

    def acknowledge(self, due):
        if due.up_to:
            assert due.up_to in self.outstanding  # else it closes the channel
            self.outstanding -= set(range(1, due.up_to + 1))
        for tag in due.singly:
            assert tag in self.outstanding
            self.outstanding.remove(tag)


@given(st.data(), st.integers(1, 40))
def test_the_server_forgets_exactly_what_is_settled(data, count):
    ledger, server = delivered(count), Server(count)
    order = data.draw(st.permutations(range(1, count + 1)))
    upto = data.draw(st.integers(0, count))
    for tag in order[:upto]:
        ledger.settle(tag)
        if data.draw(st.booleans()):
            server.acknowledge(ledger.due(patient=data.draw(st.booleans())))
    server.acknowledge(ledger.due(patient=False))
    assert server.outstanding == set(order[upto:])
    assert ledger.open == len(server.outstanding)
