"""Decoded parts of one call joined: what was read as columns, and what frame by frame."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from devices.batch import I32, UNKNOWN, FixBatch
from devices.checks import tidy_refusals
from devices.codec import Decoded
from devices.texts import Names


def joined(parts: Sequence[Decoded]) -> Decoded:
    """All fixes and refusals of `parts`, in the order of their payloads.

    Every part was decoded from other payloads of the same call; weighings and registrations have
    no place here.
    """
    parts = [part for part in parts if len(part.fixes) or part.refusals]
    if len(parts) == 1:
        return parts[0]
    idents, drivers = Names(), Names()
    fix_ident = [_renumbered(part.fix_ident, idents, part.idents) for part in parts]
    driver = [_renumbered(part.fixes.driver, drivers, part.drivers) for part in parts]
    none = [np.empty(0, np.int32)]
    payload = np.concatenate(none + [part.fix_payload for part in parts])
    order = np.argsort(payload, kind="stable")
    fixes = FixBatch.concat([part.fixes for part in parts])
    fixes = replace(fixes, driver=np.concatenate(none + driver)).take(order)
    refusals = [refusal for part in parts for refusal in part.refusals]
    return Decoded(
        fixes=fixes,
        fix_payload=payload[order],
        idents=idents.known(),
        fix_ident=np.concatenate(none + fix_ident)[order],
        drivers=drivers.known(),
        refusals=tidy_refusals(refusals),
    )


def _renumbered(numbers: I32, names: Names, own: tuple[str, ...]) -> I32:
    """Numbers of `own` as those of `names`; -1 stays."""
    known = np.array([*names.numbers(own), UNKNOWN], np.int32)
    return known[numbers]


def renumbered(decoded: Decoded, payload: Sequence[int]) -> Decoded:
    """What was decoded from some payloads of a call, under their numbers in the call.

    payload: ascending; `payload[i]` is the number of the i-th that was decoded.
    """
    numbers = np.asarray(payload, np.int32)
    return replace(
        decoded,
        fix_payload=numbers[decoded.fix_payload],
        refusals=tuple(
            replace(refusal, payload=int(payload[refusal.payload])) for refusal in decoded.refusals
        ),
    )
