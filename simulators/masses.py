"""What lorries weigh: lawful loads, and loads that are too much in one respect.

Belongs here: masses on axles, drawn from distributions. Does not belong here: the scales' own error
(stations.py), and who is loaded so (violators.py, casting.py).

How far an overload is over its limit follows the tail of real axle groups: the daily ten heaviest
of seven Swiss weigh-in-motion stations, 2011 to 2019 (federal roads office). Fitted is a
generalized Pareto distribution, by probability-weighted moments, to the tandem axles of ordinary
vehicles alone on the road that weighed more than 240 kN. On only one day in 200 were ten events of
a station above that, so that hardly any is missing; below it the data lack all but the ten heaviest
of a day.
The tail is that of 36 % and more over a tandem's 18 t. That excess just over the limit falls off as
it does there, in proportion to the limit, is assumed here, for gross and cargo, too: the data say
nothing of them.
"""

from typing import Final

from simulators.vehicles import Make

SHAPE: Final = 0.158
"""Of the fitted tail. tests/simulators/test_masses.py fits it again where the data are."""

SCALE: Final = 14.04 / 176.6
"""Of the fitted tail: kN, by the 18 t (176.6 kN) that a tandem may weigh."""

LEAST_EXCESS: Final = 0.13
"""A verdict begins at a tenth over the limit, and scales err by half a hundredth."""

MOST_EXCESS: Final = {
    # Its cargo, over 35.4 - 11 t of the permitted 23 t, is not over by a tenth yet.
    "overload_gross": 0.18,
    # Nor is that of 15.5 - 6 t, of 9 t.
    "overload_axle": 0.31,
    # 25.8 t in all, and 18.6 t on the tandem, are under a tenth over 24 and 18 t.
    "overload_cargo": 1.4,
}
"""How much too much loads of a kind may be and break no other limit."""

ROAD_LIMIT_KG: Final = {"overload_gross": 30_000.0, "overload_axle": 10_000.0}
"""What the law allows on four axles, and on a single axle (docs/rules.md, section 7)."""

FRONT_KG: Final = 2_400.0
"""What is left on the front axle of a lorry that is loaded behind its rear axle."""

EMPTY: Final = 0.3
"""The share of lorries that have nothing loaded. Like the shares of the others this is a judgement:
nobody publishes what lawful lorries weigh."""


def overload_kg(kind: str, make: Make, share: float) -> tuple[float, ...]:
    """What the axles bear of a load that is too much in one respect alone.

    share: how many in all have less, 0 to below 1.
    """
    over = 1.0 + excess(share, MOST_EXCESS[kind])
    if kind == "overload_axle":
        return (FRONT_KG, ROAD_LIMIT_KG[kind] * over)
    if kind == "overload_gross":
        # On all axles alike: two groups of two, each within the limit of 18 t.
        return (ROAD_LIMIT_KG[kind] * over / make.axles,) * make.axles
    return _on_axles(make, make.kerb_kg + make.cargo_kg * over)


def excess(share: float, most: float) -> float:
    """The excess over the limit, of which `share` of all have less; at most `most`."""
    whole = 1.0 - (1.0 + SHAPE * (most - LEAST_EXCESS) / SCALE) ** (-1.0 / SHAPE)
    return LEAST_EXCESS + SCALE / SHAPE * (float((1.0 - share * whole) ** -SHAPE) - 1.0)


def lawful_kg(make: Make, share: float) -> tuple[float, ...]:
    """What the axles bear of a lawful load, of which `share` of all have less, 0 to 1.

    Lorries are empty, or carry 30 to 95 % of what they may, the fuller the more often.
    """
    loaded = max(share - EMPTY, 0.0) / (1.0 - EMPTY)
    cargo = (0.3 + 0.65 * loaded**0.5) * make.cargo_kg if share > EMPTY else 0.0
    return _on_axles(make, make.kerb_kg + cargo)


def _on_axles(make: Make, gross_kg: float) -> tuple[float, ...]:
    return tuple(part * gross_kg for part in make.shares)
