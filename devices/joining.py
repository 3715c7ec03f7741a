"""One Decoded out of those of its parts, for codecs that read payloads of one call in two ways."""

from collections.abc import Sequence

import numpy as np

from devices.batch import I32, FixBatch, WeighingBatch
from devices.codec import Decoded, Refusal, Registration
from devices.texts import Names

Part = tuple[Sequence[int], Decoded]
"""The payloads of a call that were read together (ascending), and what was made of them."""


def joined(parts: Sequence[Part]) -> Decoded:
    """The Decoded of the whole call: rows in the order of its payloads, names numbered anew.

    No payload is in two parts.
    """
    filled = [part for part in parts if len(part[0])]
    if len(filled) == 1 and _is_whole(filled[0][0]):
        return filled[0][1]
    idents, drivers = Names(), Names()
    owner, weighed = _owners(filled, "fix_payload"), _owners(filled, "weighing_payload")
    order = np.argsort(owner, kind="stable")
    weighed_order = np.argsort(weighed, kind="stable")
    fixes = FixBatch.concat([
        made.fixes.with_columns(driver=_renumbered(made.fixes.driver, made.drivers, drivers))
        for _, made in filled
    ])  # fmt: skip
    fix_ident = [_renumbered(made.fix_ident, made.idents, idents) for _, made in filled]
    refusals = [
        Refusal(payloads[one.payload], one.reason, one.at, one.detail)
        for payloads, made in filled
        for one in made.refusals
    ]
    registrations = [
        Registration(payloads[one.payload], one.kind, one.values)
        for payloads, made in filled
        for one in made.registrations
    ]
    return Decoded(
        fixes=fixes.take(order),
        fix_payload=owner[order],
        idents=idents.known(),
        fix_ident=np.concatenate([np.empty(0, np.int32), *fix_ident])[order],
        drivers=drivers.known(),
        weighings=WeighingBatch.concat([made.weighings for _, made in filled]).take(weighed_order),
        weighing_payload=weighed[weighed_order],
        registrations=tuple(sorted(registrations, key=lambda one: one.payload)),
        refusals=tuple(sorted(refusals, key=lambda one: (one.payload, one.at))),
    )


def _is_whole(payloads: Sequence[int]) -> bool:
    return payloads[0] == 0 and payloads[-1] == len(payloads) - 1


def _owners(parts: Sequence[Part], column: str) -> I32:
    """Of each row of all parts, the payload of the call; shape (n,)."""
    found = [np.asarray(payloads, np.int32)[getattr(made, column)] for payloads, made in parts]
    return np.concatenate([np.empty(0, np.int32), *found])


def _renumbered(numbers: I32, names: Sequence[str], known: Names) -> I32:
    """Numbers of names (-1: nobody) as numbers of the names known together."""
    new = np.array([*known.numbers(names), -1], np.int32)
    return new[numbers]
