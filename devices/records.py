"""Records cut out of payloads, before anybody reads what they say.

Belongs here: whose payload a record came from, and what was refused on the way to it. What records
mean is read by devices/layouts.py.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from devices.checks import check_bad_parts
from devices.codec import Refusal
from devices.errors import DecodeError


class Records:
    """Records cut out of payloads, each of a kind, and what was refused before that."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.kind: list[str] = []
        self.payload: list[int] = []
        self.at: list[int] = []
        self.ident: list[str] = []
        self.refusals: list[Refusal] = []
        self._bad_parts: Counter[int] = Counter()

    def each(
        self, step: Callable[..., None], payloads: Iterable[int], *more: Sequence[Any]
    ) -> list[int]:
        """Do a step for each payload, given its number and what `more` has for it.

        What a step raises as DecodeError refuses the rest of its payload; the others are returned.
        """
        done = []
        for given in zip(payloads, *more, strict=True):
            try:
                step(*given)
            except DecodeError as error:
                self.refuse(given[0], error)
            else:
                done.append(given[0])
        return done

    def add(self, payload: int, at: int, kind: str, data: bytes, ident: str = "") -> None:
        """A record that begins at this byte of that payload, and whose it says it is."""
        self.data.append(data)
        self.kind.append(kind)
        self.payload.append(payload)
        self.at.append(at)
        self.ident.append(ident)

    def refuse(self, payload: int, error: DecodeError) -> None:
        """A part of a payload, or all of it, that is refused."""
        self.refusals.append(Refusal.of(payload, error))

    def refuse_part(self, payload: int, error: DecodeError, at: int) -> None:
        """Refuse the part that begins at this byte. Raises DecodeError if too many were."""
        self.refuse(payload, error)
        self._bad_parts[payload] += 1
        check_bad_parts(self._bad_parts[payload], at)

    def __len__(self) -> int:
        """Records and refusals so far."""
        return len(self.data) + len(self.refusals)
