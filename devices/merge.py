"""Several `Decoded` of one sequence of payloads as one: what a fast path read, and what it left."""

from collections.abc import Sequence

import numpy as np

from devices.batch import I32, FixBatch
from devices.checks import tidy_refusals
from devices.codec import Decoded
from devices.texts import Names


def merged(parts: Sequence[Decoded]) -> Decoded:
    """Fixes, refusals and registrations of all parts in the order of their payloads.

    A payload belongs to one part; parts hold no weighings. Identities and drivers are numbered
    anew.
    """
    parts = [part for part in parts if len(part.fixes) or part.refusals or part.registrations]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Decoded(FixBatch.empty(), np.empty(0, np.int32))
    fixes = FixBatch.concat([part.fixes for part in parts])
    owner = np.concatenate([part.fix_payload for part in parts])
    ident, idents = _joined([(part.fix_ident, part.idents) for part in parts])
    driver, drivers = _joined([(part.fixes.driver, part.drivers) for part in parts])
    order = np.argsort(owner, kind="stable")
    return Decoded(
        fixes=fixes.with_columns(driver=driver).take(order),
        fix_payload=owner[order],
        idents=idents,
        fix_ident=ident[order],
        drivers=drivers,
        registrations=tuple(
            sorted((one for part in parts for one in part.registrations), key=lambda r: r.payload)
        ),
        refusals=tidy_refusals([refusal for part in parts for refusal in part.refusals]),
    )


def _joined(parts: Sequence[tuple[I32, tuple[str, ...]]]) -> tuple[I32, tuple[str, ...]]:
    """Numbers of names in several lists as numbers of one list without repeats; -1 stays."""
    names = Names()
    found = []
    for numbers, own in parts:
        new = np.array([*names.numbers(own), -1], np.int32)  # -1 picks the last
        found.append(new[numbers])
    return np.concatenate(found), names.known()
