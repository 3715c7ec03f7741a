"""What is wrong with a file that is imported, by place; nothing is dropped without one of these."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

MOST_KEPT: Final = 100_000
"""Problems that are kept whole; more are counted. A table of 50,000 rows that is all wrong in two
columns is shown to the last cell, a file of something else does not fill the memory."""

Unit = Literal["row", "line"]
Effect = Literal["refused", "left_out", "noted"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a file.

    row: as a spreadsheet counts them, or of lines as an editor does (`unit`), from 1; 0: the file
    as a whole. column: its letter and header, a name, or a place in a feature; "": the whole row.
    effect: refused: nothing is written while it is there; left_out: the registry cannot hold it,
    the rest is written without it; noted: it is written, otherwise than the file says or in doubt.
    """

    file: str
    row: int
    column: str
    wrong: str
    effect: Effect = "refused"
    unit: Unit = "row"

    def __str__(self) -> str:
        where = [f"{self.unit} {self.row}"] if self.row else []
        where += [f"column {self.column}"] if self.column else []
        return ": ".join([self.file, *([", ".join(where)] if where else []), self.wrong])

    def as_json(self) -> dict[str, Any]:
        """The problem as one flat object."""
        return {
            "file": self.file,
            self.unit: self.row or None,
            "column": self.column or None,
            "wrong": self.wrong,
            "effect": self.effect,
        }


@dataclass(slots=True)
class Problems:
    """The problems of one import, in the order in which they were found; counts are of all."""

    kept: list[Problem] = field(default_factory=list)
    counts: Counter[Effect] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Take a problem in."""
        self.counts[problem.effect] += 1
        if len(self.kept) < MOST_KEPT:
            self.kept.append(problem)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.kept)

    def __len__(self) -> int:
        return self.counts.total()

    @property
    def refused(self) -> int:
        """How many problems keep the import from being written."""
        return self.counts["refused"]
