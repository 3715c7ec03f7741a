"""Several Decoded of the same payloads made into one.

Belongs here: what a codec needs that reads some payloads as columns and the rest one by one.
"""

from collections.abc import Sequence

import numpy as np

from devices.batch import I32, FixBatch
from devices.checks import tidy_refusals
from devices.codec import Decoded
from devices.texts import Names


def merged(parts: Sequence[Decoded]) -> Decoded:
    """Everything that several readers made of the payloads of one call, in payload order.

    Fixes of one payload keep the order that they have in their part. Parts have no weighings.
    """
    parts = [part for part in parts if len(part.fixes) or part.refusals or part.registrations]
    if not parts:
        return Decoded(FixBatch.empty(), np.empty(0, np.int32))
    if len(parts) == 1:
        return parts[0]
    fixes = FixBatch.concat([part.fixes for part in parts])
    idents, drivers = Names(), Names()
    ident = np.concatenate([_renumbered(idents, part.idents, part.fix_ident) for part in parts])
    driver = np.concatenate(
        [_renumbered(drivers, part.drivers, part.fixes.driver) for part in parts]
    )
    payload = np.concatenate([part.fix_payload for part in parts])
    order = np.argsort(payload, kind="stable")
    return Decoded(
        fixes=fixes.with_columns(driver=driver).take(order),
        fix_payload=payload[order],
        idents=idents.known(),
        fix_ident=ident[order],
        drivers=drivers.known(),
        registrations=tuple(
            sorted((r for part in parts for r in part.registrations), key=lambda r: r.payload)
        ),
        refusals=tidy_refusals([refusal for part in parts for refusal in part.refusals]),
    )


def _renumbered(names: Names, known: Sequence[str], numbers: I32) -> I32:
    """Numbers of `known` as numbers of `names`; -1 stays."""
    table = np.array([*names.numbers(known), -1], np.int32)
    return table[numbers]
