"""Comparing what two readers make of the same payloads."""

from dataclasses import fields

import numpy as np

from devices.codec import Decoded


def assert_same_decoded(got: Decoded, expected: Decoded) -> None:
    """Every column, identity, extra and refusal is the same."""
    assert got.refusals == expected.refusals
    assert got.registrations == expected.registrations
    np.testing.assert_array_equal(got.fix_payload, expected.fix_payload)
    for field in fields(expected.fixes):
        one, other = getattr(got.fixes, field.name), getattr(expected.fixes, field.name)
        if field.name == "driver":
            assert names(got.drivers, one) == names(expected.drivers, other)
        elif field.name == "extra":
            assert one == other
        else:
            np.testing.assert_array_equal(one, other, err_msg=field.name)
    assert names(got.idents, got.fix_ident) == names(expected.idents, expected.fix_ident)


def names(known, numbers):
    return [known[number] if number >= 0 else None for number in numbers]
