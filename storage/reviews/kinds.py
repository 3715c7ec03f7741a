"""Kinds of violations, for settings that name them: a misspelt one must not go unseen."""

from collections.abc import Sequence
from typing import Final

from storage.reviews.moves import needs_four_eyes

KINDS: Final = (
    "speeding", "zone_entry", "zone_exit", "zone_dwell", "banned_zone", "crossing", "off_route",
    "unscheduled_stop", "missed_stop", "wrong_order", "late_departure", "continuous_driving",
    "daily_driving", "weekly_driving", "data_gap", "moved_unseen", "gps_lost", "power_cut",
    "clock_wrong", "cloned_device", "overload_gross", "overload_axle", "overload_cargo",
    "overloaded_stretch", "bridge_limit", "station_avoided",
)  # fmt: skip
"""Those that are stored, in the order of docs/rules.md."""


def unknown(patterns: Sequence[str]) -> list[str]:
    """Those of the patterns that name no kind."""
    return [
        pattern
        for pattern in patterns
        if not any(needs_four_eyes(kind, [pattern]) for kind in KINDS)
    ]
