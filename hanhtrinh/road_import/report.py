"""What an import says beside the roads: what was wrong, and what was not looked at.

Belongs here: counting and naming. Nothing of a map is dropped without a line or a count here.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that could not be used; its way is imported without it."""

    way: int
    key: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"way {self.way}: {self.key}: expected {self.expected}, got {self.value!r}"


@dataclass(slots=True)
class ImportReport:
    """What came of a map's ways.

    ways: imported, as pieces. problems: in order of the file. ignored: by key, values that limits
    do not go by (those of hours, of lanes, of kinds of vehicles). skipped: by reason, what is no
    road.
    """

    ways: int = 0
    problems: list[Problem] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
