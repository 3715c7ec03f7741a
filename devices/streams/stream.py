"""What a conversation is: a `Stream` is fed bytes as they come and yields `Step`s.

A stream keeps at most one unfinished frame of at most `most_bytes`. Bytes that belong to no frame
are skipped to the next start mark and counted. How the bytes were cut into pieces changes nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

Clock = Callable[[], int]
"""Now, in microseconds since 1970-01-01 UTC: some formats are answered with the time."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done because of one frame.

    ident: the identity that the frame names; "": none.
    payload: what is to be published; b"": nothing.
    reply: what the tracker is to be sent: at once, or where there is a payload, after the broker
        has it.
    wrong: why the frame was not taken, a short name to count by; "": nothing is wrong with it.
    refusal: what the tracker is sent in place of the reply where its identity is not let in; b"":
        the format has no word for that.
    """

    ident: str = ""
    payload: bytes = b""
    reply: bytes = b""
    wrong: str = ""
    refusal: bytes = b""


class Stream(ABC):
    """One tracker's side of a conversation.

    skipped: bytes so far that belonged to no frame.
    """

    most_bytes: ClassVar[int] = 4096
    """The longest frame. What would be longer is no frame: its first byte is skipped."""

    separators: ClassVar[bytes] = b""
    """Bytes that may stand between frames and mean nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rest = b""
        self.skipped = 0

    @property
    def held(self) -> int:
        """Bytes of the unfinished frame."""
        return len(self._rest)

    def take(self, data: bytes) -> list[Step]:
        """What the bytes that have just come complete."""
        pending = self._rest + data if self._rest else data
        steps: list[Step] = []
        at, size = 0, len(pending)
        while at < size:
            if pending[at] in self.separators:
                at += 1
                continue
            length = self.measure(pending, at)
            if length > self.most_bytes or (length == 0 and size - at > self.most_bytes):
                length = -1
            if length < 0:
                # Separators are no garbage, however it is cut.
                self.skipped += len(pending[at : at - length].translate(None, self.separators))
                at -= length
            elif length == 0 or at + length > size:
                break
            else:
                steps.extend(self.read(pending[at : at + length]))
                at += length
        self._rest = pending[at:]
        return steps

    @abstractmethod
    def measure(self, data: bytes, at: int) -> int:
        """Length of the frame at `at`; 0: more bytes are needed to tell; -n: n bytes are garbage.

        The answer depends on the bytes of the frame alone, not on how many have come behind it;
        only how much garbage is skipped at once may.
        """

    @abstractmethod
    def read(self, frame: bytes) -> Iterable[Step]:
        """What is to be done because of one whole frame."""


def garbage(data: bytes, at: int, marks: bytes) -> int:
    """How much to skip, negative: from `at` to the next of `marks` behind it, or all there is."""
    found = [place for mark in marks if (place := data.find(mark, at + 1)) >= 0]
    return at - min(found, default=len(data))


def until(data: bytes, at: int, end: bytes, most: int) -> int:
    """Length of what begins at `at` and ends with `end`; 0: no end within `most` bytes yet."""
    place = data.find(end, at + 1, at + most)
    return place - at + len(end) if place >= 0 else 0
