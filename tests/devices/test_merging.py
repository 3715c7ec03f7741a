import numpy as np

from devices.batch import FixBatch
from devices.codec import Decoded, Refusal
from devices.errors import Reject
from devices.merging import merged, renumbered
from tests.devices.made_up import NOW_US


def part(payloads, drivers, idents, *, refused=()):
    n = len(payloads)
    fixes = FixBatch.blank(
        n, time=[NOW_US] * n, received=[NOW_US] * n, lon=payloads, lat=[1.0] * n,
        driver=np.arange(n) % (len(drivers) + 1) - 1,
        extra={row: b"%d" % payload for row, payload in enumerate(payloads)},
    )  # fmt: skip
    return Decoded(
        fixes=fixes,
        fix_payload=np.array(payloads, np.int32),
        idents=idents,
        fix_ident=(np.arange(n) % (len(idents) + 1) - 1).astype(np.int32),
        drivers=drivers,
        refusals=tuple(Refusal(payload, Reject.UNSUPPORTED, 0, "") for payload in refused),
    )


def test_parts_are_joined_in_the_order_of_their_payloads():
    one = part([0, 2, 2, 5], ("A", "B"), ("x",), refused=[1])
    two = part([3, 4, 7], ("B", "C"), ("y", "x"), refused=[0, 6])
    whole = merged([two, one])
    assert whole.fix_payload.tolist() == [0, 2, 2, 3, 4, 5, 7]
    assert whole.fixes.lon.tolist() == [0, 2, 2, 3, 4, 5, 7]
    assert [int(whole.fixes.extra[row]) for row in range(7)] == [0, 2, 2, 3, 4, 5, 7]
    named = [whole.drivers[i] if i >= 0 else None for i in whole.fixes.driver]
    assert named == [None, "A", "B", None, "B", None, "C"]
    idents = [whole.idents[i] if i >= 0 else None for i in whole.fix_ident]
    assert idents == [None, "x", None, None, "y", "x", "x"]
    assert [refusal.payload for refusal in whole.refusals] == [0, 1, 6]


def test_nothing_joins_to_nothing():
    empty = merged([])
    assert len(empty.fixes) == 0
    assert empty.fix_ident.dtype == empty.fix_payload.dtype == np.int32
    one = part([1], (), ())
    assert merged([one, part([], (), ())]) is one


def test_payloads_get_their_numbers_of_the_call():
    found = renumbered(part([0, 1, 1], (), (), refused=[2]), [4, 7, 9])
    assert found.fix_payload.tolist() == [4, 7, 7]
    assert found.refusals[0].payload == 9
