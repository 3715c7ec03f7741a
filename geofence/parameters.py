"""The table of what a rule profile must say: every key, its kind, unit and bounds.

Belongs here: names and bounds of parameters. Their values are in profiles, never in code.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

ParameterKind = Literal["number", "count", "flag", "choice", "edges"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a profile.

    unit: as the profile must repeat it; "" where the value has none.
    low, high: bounds of the value (of each value of `edges`), both included.
    choices: of a `choice`; its column holds the index.
    asked_by: the speeding mode that needs the key; "" every mode. Others may leave it out.
    """

    key: str
    kind: ParameterKind = "number"
    unit: str = ""
    low: float = 0.0
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    asked_by: str = ""

    @property
    def column(self) -> str:
        """Its name in PROFILE_DTYPE: dots become underscores, seconds become microseconds."""
        name = self.key.replace(".", "_")
        return f"{name.removesuffix('_s')}_us" if self.unit == "s" else name

    @property
    def dtype(self) -> type[np.generic]:
        """The type of its column."""
        if self.kind in ("flag", "choice"):
            return np.uint8
        if self.kind == "count":
            return np.int32
        return np.int64 if self.unit == "s" else np.float64


def _seconds(key: str, low: float = 0.0, high: float = 86_400.0, asked_by: str = "") -> Parameter:
    return Parameter(key, "number", "s", low, high, asked_by=asked_by)


def _kmh(key: str, low: float = 0.0, high: float = 1_000.0) -> Parameter:
    return Parameter(key, "number", "km/h", low, high)


def _metres(key: str, low: float = 0.0, high: float = 100_000.0) -> Parameter:
    return Parameter(key, "number", "m", low, high)


def _count(key: str, low: float = 1.0, high: float = 1_000.0) -> Parameter:
    return Parameter(key, "count", "", low, high)


SPEEDING_MODES: Final = ("fix", "step")
"""What is compared with the limit: the fix's own speed, or that of the step between two fixes."""

PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter("speeding.mode", "choice", choices=SPEEDING_MODES),
    _kmh("speeding.tolerance_kmh", high=50.0),
    _seconds("speeding.max_gap_s", low=1.0),
    _seconds("speeding.min_duration_s"),
    Parameter("speeding.min_duration_is_strict", "flag"),
    _seconds("speeding.pair_distance_over_s", asked_by="step"),
    Parameter("speeding.bands_kmh", "edges", "km/h", 0.0, 1_000.0),
    _kmh("limits.default_kmh", low=5.0, high=200.0),
    _metres("roads.radius_m", low=1.0, high=200.0),
    _metres("roads.sigma_m", low=0.5, high=100.0),
    Parameter("roads.heading_sigma_deg", "number", "deg", 1.0, 180.0),
    _kmh("roads.heading_over_kmh"),
    _metres("roads.detour_m", low=1.0, high=1_000.0),
    _metres("roads.off_road_m", low=1.0, high=200.0),
    _seconds("roads.max_gap_s", low=1.0),
    _seconds("roads.memory_s", low=10.0, high=3_600.0),
    Parameter("roads.confidence", "number", "", 0.5, 1.0),
    _count("visits.confirm_in", high=100),
    _count("visits.confirm_out", high=100),
    _seconds("visits.max_gap_s", low=1.0),
    _seconds("off_route.max_gap_s", low=1.0),
    _count("off_route.min_fixes"),
    _seconds("off_route.min_duration_s"),
    _seconds("route_stops.min_stop_s"),
    _metres("route_stops.stop_radius_m"),
    _seconds("route_stops.max_gap_s", low=1.0),
    _seconds("timetable.early_s"),
    _seconds("timetable.late_s"),
    _seconds("timetable.served_within_s"),
    Parameter("timetable.min_share_pct", "number", "%", 0.0, 100.0),
    Parameter("rates.per_km", "number", "km", 1.0),
    Parameter("rates.withdrawal_from", "number", "", 0.0),
    _kmh("stops.stop_speed_kmh"),
    _seconds("stops.min_stop_s"),
    _seconds("stops.trip_rest_s"),
    _metres("stops.min_trip_m"),
    # A rest under half a day holds no more than one midnight.
    _seconds("driving.rest_s", low=1.0, high=43_200.0),
    _seconds("driving.max_gap_s", low=1.0),
    _metres("driving.same_place_m"),
    _seconds("driving.unseen_up_to_s"),
    _seconds("driving.warning_s"),
    _kmh("data_gap.moving_kmh"),
    _seconds("data_gap.over_s", low=1.0),
    _seconds("moved_unseen.over_s", low=1.0),
    _metres("moved_unseen.over_m"),
    _seconds("gps_lost.min_duration_s"),
    _seconds("gps_lost.max_gap_s", low=1.0),
    _seconds("power_cut.min_duration_s"),
    _count("clock_wrong.min_fixes"),
    _seconds("clock_wrong.max_gap_s", low=1.0),
    _kmh("cloned_device.over_kmh", low=1.0),
    _count("cloned_device.times"),
    _seconds("cloned_device.within_s", low=1.0),
    _metres("overload.group_spacing_m", high=20.0),
    Parameter("overload.road_bands_pct", "edges", "%", 0.0, 1_000.0),
    Parameter("overload.cargo_bands_pct", "edges", "%", 0.0, 1_000.0),
    _seconds("overload.unloading_stop_s"),
    _metres("station_avoided.before_m"),
    _metres("station_avoided.behind_m"),
    _seconds("station_avoided.within_s", low=1.0),
    _seconds("quality.future_over_s"),
    _kmh("quality.jump_kmh", low=1.0, high=10_000.0),
    _count("quality.jump_resume_fixes"),
    _count("quality.frozen_fixes"),
    _kmh("quality.frozen_speed_kmh"),
    _kmh("quality.speed_over_kmh", low=1.0),
    _kmh("quality.speed_differs_kmh", low=1.0),
    _count("quality.speed_differs_steps"),
    _seconds("quality.late_over_s"),
)

BY_KEY: Final = {parameter.key: parameter for parameter in PARAMETERS}

SECTIONS: Final = tuple(dict.fromkeys(p.key.partition(".")[0] for p in PARAMETERS))

PROFILE_DTYPE: Final = np.dtype([(p.column, p.dtype) for p in PARAMETERS if p.kind != "edges"])
"""One row per profile, for kernels: every parameter but the lists of edges."""
