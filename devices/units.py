"""Units that formats of several makers write."""

from typing import Final

KNOT_KMH: Final = 1.852
"""A knot is a nautical mile, 1,852 metres, an hour."""
