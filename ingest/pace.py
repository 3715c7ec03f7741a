"""Pace: how much of some work to do at once so that it takes about as long as it may."""

from typing import Final

GROWTH: Final = 2.0
"""The next piece is at most so many times as much as has been seen to take no longer."""


class Pace:
    """The amount that fits into `budget_s`, learnt from how long the last pieces took.

    What a piece of a size costs is not known beforehand: it depends on what else the machine does,
    and on what lies behind each unit. So it begins small, grows by GROWTH at most, and shrinks at
    once to what the last piece says would have fitted: a machine that becomes ten times slower is
    too slow for one piece, and not for as many as halving takes.
    """

    def __init__(self, budget_s: float, first: int, most: int) -> None:
        """first, most: amounts at the beginning, and ever."""
        self._budget_s = budget_s
        self._most = most
        self.amount = first

    def took(self, amount: int, seconds: float) -> None:
        """Learn that an amount took so long. One that was small proves nothing for larger ones."""
        fits = int(amount * self._budget_s / max(seconds, 1e-6))
        if fits < amount:
            self.amount = min(self.amount, fits)
        else:
            self.amount = max(self.amount, min(fits, int(amount * GROWTH)))
        self.amount = min(max(1, self.amount), self._most)

    def failed(self, amount: int) -> None:
        """Take half of what could not be done, until what is to blame stands alone."""
        self.amount = max(1, amount // 2)
