"""Overload of one weighing, docs/rules.md section 7, in exact arithmetic."""

import math
from fractions import Fraction


def groups(axle_kg, spacing_m, apart_m):
    """Lists of axle numbers whose neighbours are closer than `apart_m`."""
    found = [[0]] if axle_kg else []
    for axle in range(1, len(axle_kg)):
        if not math.isnan(spacing_m[axle]) and spacing_m[axle] < apart_m:
            found[-1].append(axle)
        else:
            found.append([axle])
    return found


def excess(measured_kg, tolerance, limit_kg):
    limit = Fraction(limit_kg)
    return (Fraction(measured_kg) * (1 - Fraction(tolerance)) - limit) / limit


def band(value, edges_pct):
    """The greatest edge that the excess is over, None: none."""
    return max((edge for edge in edges_pct if value > Fraction(edge) / 100), default=None)


def overloads(gross_kg, axle_kg, spacing_m, vehicle, tolerance, profile, limits):
    """{kind: lower edge of the band} of one weighing."""
    road = profile.edges("overload.road_bands_pct")
    cargo = profile.edges("overload.cargo_bands_pct")
    found = {}
    length_m = sum(spacing_m[1:]) if axle_kg else math.nan
    row = limits.gross_limit(
        vehicle.kind, len(axle_kg) or vehicle.axles or 0, first_to_last_axle_m=length_m
    )
    if row is not None:
        found["overload_gross"] = band(excess(gross_kg, tolerance, row.limit_kg), road)
    worst = None
    for group in groups(axle_kg, spacing_m, profile.number("overload.group_spacing_m")):
        if len(group) > 3:
            continue
        name = ("single", "tandem", "tridem")[len(group) - 1]
        widest = max([spacing_m[axle] for axle in group[1:]], default=math.nan)
        limit_kg = limits.axle_limit(name, widest).limit_kg
        value = excess(sum(axle_kg[axle] for axle in group), tolerance, limit_kg)
        worst = value if worst is None else max(worst, value)
    if worst is not None:
        found["overload_axle"] = band(worst, road)
    if vehicle.kerb_kg is not None and vehicle.cargo_kg:
        value = excess(gross_kg - vehicle.kerb_kg, tolerance, vehicle.cargo_kg)
        found["overload_cargo"] = band(value, cargo)
    return {kind: edge for kind, edge in found.items() if edge is not None}
