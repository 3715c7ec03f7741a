"""Overload: kinds `overload_gross`, `overload_axle`, `overload_cargo`, docs/rules.md section 7.

Belongs here: what one weighing says about one vehicle. It is a pure function: nothing is remembered
from one weighing to the next. The tables of limits are in the profiles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devices.batch import F64, UNKNOWN, WeighingBatch
from geofence.interval import Interval
from geofence.load_limits import AxleGroup, LoadLimits
from geofence.profile import Profile
from geofence.registry import StationRule, VehicleRule

GROSS: Final = "overload_gross"
AXLE: Final = "overload_axle"
CARGO: Final = "overload_cargo"

_GROUPS: Final[tuple[AxleGroup, ...]] = ("single", "tandem", "tridem")
"""Names of groups of one, two and three axles. The law has no limit for larger ones."""

Detail = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Load:
    """A mass and what it may be. limit_kg: None where no limit is known: it is not judged."""

    kind: str
    label: str
    axles: int
    measured_kg: float
    tolerance: float
    limit_kg: float | None

    @property
    def excess_pct(self) -> float | None:
        """How far the mass, less the tolerance, lies over its limit; negative: under it."""
        if self.limit_kg is None:
            return None
        return (self.measured_kg * (1.0 - self.tolerance) - self.limit_kg) * 100.0 / self.limit_kg

    def is_over(self, edge_pct: float) -> bool:
        """Whether the excess is over so many per cent."""
        if self.limit_kg is None:
            return False
        # Without a division, so that exactly 10 % over 16 t is not over 10 %.
        excess_kg = self.measured_kg * (1.0 - self.tolerance) - self.limit_kg
        return excess_kg * 100.0 > edge_pct * self.limit_kg

    def band(self, edges_pct: Sequence[float]) -> str | None:
        """The band of the excess: "10_20" is over 10 up to 20 %; None: not over the first edge."""
        above = [edge for edge in edges_pct if self.is_over(edge)]
        if not above:
            return None
        if len(above) == len(edges_pct):
            return f"{edges_pct[-1]:g}_up"
        return f"{above[-1]:g}_{edges_pct[len(above)]:g}"


def axle_groups(axle_kg: F64, spacing_m: F64, group_spacing_m: float) -> list[list[int]]:
    """Axles as groups of neighbours closer than `group_spacing_m`, from the front.

    spacing_m: shape (k,), to the axle before; an unknown one (NaN) keeps two axles apart, which is
    the milder reading.
    """
    groups: list[list[int]] = []
    for axle in range(len(axle_kg)):
        if groups and spacing_m[axle] < group_spacing_m:
            groups[-1].append(axle)
        else:
            groups.append([axle])
    return groups


def _axle_loads(
    axle_kg: F64, spacing_m: F64, profile: Profile, limits: LoadLimits, tolerance: float
) -> list[Load]:
    loads: list[Load] = []
    for group in axle_groups(axle_kg, spacing_m, profile.number("overload.group_spacing_m")):
        limit = None
        name: str = "larger"
        if len(group) <= len(_GROUPS):
            name = _GROUPS[len(group) - 1]
            widest = max((float(spacing_m[axle]) for axle in group[1:]), default=math.nan)
            limit = limits.axle_limit(_GROUPS[len(group) - 1], widest)
        mass = math.fsum(axle_kg[group])
        limit_kg = None if limit is None else limit.limit_kg
        loads.append(Load(AXLE, name, len(group), mass, tolerance, limit_kg))
    return loads


def _gross_load(
    gross_kg: float, spacing_m: F64, vehicle: VehicleRule, limits: LoadLimits, tolerance: float
) -> Load:
    axles = len(spacing_m) or vehicle.axles or 0
    length_m = math.fsum(spacing_m[1:]) if len(spacing_m) else math.nan
    limit = limits.gross_limit(vehicle.kind, axles, first_to_last_axle_m=length_m)
    limit_kg = None if limit is None else limit.limit_kg
    return Load(GROSS, "gross", axles, gross_kg, tolerance, limit_kg)


def _cargo_load(gross_kg: float, vehicle: VehicleRule, tolerance: float) -> Load | None:
    if vehicle.kerb_kg is None or not vehicle.cargo_kg:
        return None
    cargo_kg = gross_kg - vehicle.kerb_kg
    return Load(CARGO, "cargo", 0, cargo_kg, tolerance, vehicle.cargo_kg)


def _worst(loads: Sequence[Load]) -> Load | None:
    """The load with the greatest excess, the first of equals; None: none has a limit."""
    limited = [load for load in loads if load.limit_kg is not None]
    return max(limited, key=lambda load: load.excess_pct or 0.0, default=None)


def _all_loads(loads: Sequence[Load]) -> dict[str, Detail]:
    details: dict[str, Detail] = {}
    group = 0
    for load in loads:
        name = load.label
        if load.kind == AXLE:
            group += 1
            name = f"group_{group}"
            details[f"{name}_kind"] = load.label
            details[f"{name}_axles"] = load.axles
        details[f"{name}_kg"] = load.measured_kg
        details[f"{name}_limit_kg"] = load.limit_kg
        details[f"{name}_excess_percent"] = load.excess_pct
    return details


def _facts(load: Load, edges: Sequence[float]) -> dict[str, Detail]:
    return {
        "measured_kg": load.measured_kg,
        "limit_kg": load.limit_kg,
        "tolerance": load.tolerance,
        "excess_percent": load.excess_pct,
        "band": load.band(edges),
        "group": load.label,
    }


def _over_road(
    gross: Load, axles: Sequence[Load], edges: Sequence[float]
) -> list[tuple[Load, dict[str, Detail]]]:
    """What is over the road's capacity: gross, and the worst group of axles."""
    verdict = _worst([gross, *axles])
    evidence = _all_loads([gross, *axles])
    if verdict is not None:
        evidence["verdict_kind"] = verdict.kind
        evidence["verdict_excess_percent"] = verdict.excess_pct
        evidence["verdict_band"] = verdict.band(edges)
    return [
        (load, _facts(load, edges) | evidence)
        for load in (gross, _worst(axles))
        if load is not None and load.is_over(edges[0])
    ]


def judge_weighing(
    weighings: WeighingBatch,
    row: int,
    vehicle: VehicleRule,
    station: StationRule,
    profile: Profile,
    limits: LoadLimits | None,
) -> list[Interval]:
    """The overloads of one weighing: at most one of each kind.

    profile, limits: those in force at the weighing's time (`Rulebook.profile_at`,
    `Rulebook.load_limits_at`). Without tables of limits only the cargo is judged. Each overload of
    the road's capacity carries gross and every group of axles, and the verdict of the worst.
    """
    time = int(weighings.time[row])
    gross_kg = float(weighings.gross_kg[row])
    axle_kg, spacing_m = weighings.axles(row)
    found: list[tuple[Load, dict[str, Detail]]] = []
    if limits is not None:
        gross = _gross_load(gross_kg, spacing_m, vehicle, limits, station.tolerance)
        axles = _axle_loads(axle_kg, spacing_m, profile, limits, station.tolerance)
        found += _over_road(gross, axles, profile.edges("overload.road_bands_pct"))
    cargo = _cargo_load(gross_kg, vehicle, station.tolerance)
    edges = profile.edges("overload.cargo_bands_pct")
    if cargo is not None and cargo.is_over(edges[0]):
        masses: dict[str, Detail] = {"gross_kg": gross_kg, "kerb_kg": vehicle.kerb_kg}
        found.append((cargo, _facts(cargo, edges) | masses))
    common: dict[str, Detail] = {
        "indicative": not station.is_calibrated(time),
        "lane": int(weighings.lane[row]),
        "station_kind": station.kind,
    }
    return [
        Interval(
            kind=load.kind,
            vehicle=vehicle.id,
            subject=station.code,
            profile=profile.id,
            driver=UNKNOWN,
            started=time,
            ended=time,
            distance_m=0.0,
            fixes=0,
            start=(station.lon, station.lat),
            end=(station.lon, station.lat),
            is_open=False,
            details=details | common,
        )
        for load, details in found
    ]
