"""How long is waited before something that has failed is tried again.

Belongs here: the one rule of all that connects again or begins again. Does not belong here: what is
tried.
"""

import random
from dataclasses import dataclass
from typing import Final

STEADY_S: Final = 10.0
"""What held for so long came to something. What was taken and ended at once, as when two workers
have one name, must not be tried again five times a second for ever."""


@dataclass(slots=True)
class Retrying:
    """Failures in a row of one thing, and the delay after each.

    least_s, most_s: the longest delay grows from twice the one by doubling, and up to the other:
    when a broker or a database is back, whoever fixes wait for is to be back seconds later.
    """

    least_s: float = 0.1
    most_s: float = 5.0
    failures: int = 0

    def failed(self, held_s: float = 0.0) -> float:
        """Count a failure of what had held for so long; how long to wait now.

        Random by half, so that those who failed together do not come back all at once.
        """
        self.failures = 1 if held_s > STEADY_S else self.failures + 1
        longest = min(self.most_s, self.least_s * 2.0 ** min(self.failures, 10))
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads retries, guards nothing

    def succeeded(self) -> None:
        """Begin to count anew."""
        self.failures = 0
