"""Several Decoded of the same payloads made into one.

Belongs here: what a codec needs that reads some payloads of a call as columns and the rest one by
one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from devices.batch import I32, FixBatch, WeighingBatch
from devices.checks import tidy_refusals
from devices.codec import Decoded
from devices.texts import Names


def merged(parts: Sequence[Decoded]) -> Decoded:
    """Everything that several readers made of the payloads of one call, in payload order.

    What comes of one payload keeps the order that it has in its part.
    """
    parts = [
        part
        for part in parts
        if len(part.fixes) or len(part.weighings) or part.refusals or part.registrations
    ]
    if not parts:
        nothing = np.empty(0, np.int32)
        return Decoded(FixBatch.empty(), nothing, fix_ident=nothing)
    if len(parts) == 1:
        return parts[0]
    idents, drivers = Names(), Names()
    fixes = FixBatch.concat([part.fixes for part in parts])
    ident = np.concatenate([_as_in(idents, part.idents, part.fix_ident) for part in parts])
    driver = np.concatenate([_as_in(drivers, part.drivers, part.fixes.driver) for part in parts])
    payload = np.concatenate([part.fix_payload for part in parts])
    order = np.argsort(payload, kind="stable")
    weighed = np.concatenate([part.weighing_payload for part in parts])
    weighing_order = np.argsort(weighed, kind="stable")
    return Decoded(
        fixes=fixes.with_columns(driver=driver).take(order),
        fix_payload=payload[order],
        idents=idents.known(),
        fix_ident=ident[order],
        drivers=drivers.known(),
        weighings=WeighingBatch.concat([part.weighings for part in parts]).take(weighing_order),
        weighing_payload=weighed[weighing_order],
        registrations=tuple(
            sorted((r for part in parts for r in part.registrations), key=lambda r: r.payload)
        ),
        refusals=tidy_refusals([refusal for part in parts for refusal in part.refusals]),
    )


def renumbered(decoded: Decoded, payloads: Sequence[int]) -> Decoded:
    """What was decoded from some payloads of a call, under their numbers in the call.

    payloads: ascending; `payloads[i]` is the number of the i-th that was decoded.
    """
    numbers = np.asarray(payloads, np.int32)
    return replace(
        decoded,
        fix_payload=numbers[decoded.fix_payload],
        weighing_payload=numbers[decoded.weighing_payload],
        registrations=tuple(replace(r, payload=payloads[r.payload]) for r in decoded.registrations),
        refusals=tuple(replace(r, payload=payloads[r.payload]) for r in decoded.refusals),
    )


def _as_in(names: Names, known: Sequence[str], numbers: I32) -> I32:
    """Numbers of `known` as numbers of `names`; -1 stays."""
    table = np.array([*names.numbers(known), -1], np.int32)
    return table[numbers]
