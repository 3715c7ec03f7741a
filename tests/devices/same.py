"""Whether two ways of decoding say the same."""

import numpy as np

from devices.batch import COLUMNS
from devices.codec import Decoded
from devices.extra import extra_values


def assert_same(fast: Decoded, slow: Decoded) -> None:
    """Compare every column, extra, identity and refusal; the numbering of identities is free."""
    np.testing.assert_array_equal(fast.fix_payload, slow.fix_payload)
    for name in COLUMNS:
        if name != "driver":
            column = getattr(fast.fixes, name)
            np.testing.assert_array_equal(column, getattr(slow.fixes, name), err_msg=name)
    extras = [{row: extra_values(e) for row, e in d.fixes.extra.items()} for d in (fast, slow)]
    assert extras[0] == extras[1]
    assert named(fast) == named(slow)
    assert fast.refusals == slow.refusals
    assert fast.registrations == slow.registrations


def named(decoded):
    return [
        (
            decoded.idents[i] if i >= 0 else None,
            decoded.drivers[j] if j >= 0 else None,
        )
        for i, j in zip(decoded.fix_ident.tolist(), decoded.fixes.driver.tolist(), strict=True)
    ]
