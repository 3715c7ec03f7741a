"""How a cell is written down: one record of int32 words, and what the words mean.

Belongs here: the format alone. A record is the number of its entries and then the entries, rows
ascending. An entry begins with `row << KIND_BITS | kind`:

- INSIDE, the zone holds the whole cell: nothing follows.
- ASK, only shapely can say: nothing follows.
- BORDER, an edge of the polygon may touch the cell: `runs << 1 | base`, then two words for each
  run of consecutive edges: the first vertex, and `edges << 2 | flags`. A point of the cell is
  inside if `base` and the parity that `ring_test.side_of_runs` finds differ.
- REACH, some points may be within reach of a circle or corridor: the number of segments that
  matter here, then their rows in `Outlines.ends`.

Only what concerns a cell is in its record, however large the zone is.
"""

from typing import Final

KIND_BITS: Final = 2
KIND: Final = 3
INSIDE: Final = 0
BORDER: Final = 1
REACH: Final = 2
ASK: Final = 3

MOST_ROWS: Final = 1 << (31 - KIND_BITS)

STARTS_LEFT: Final = 1
ENDS_LEFT: Final = 2
"""Flags of a run: its first or last vertex lies west of the cell's western side."""
