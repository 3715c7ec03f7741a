"""Reading the tables of load limits of a profile's TOML.

Belongs here: the TOML of `load_limits` and its checks. Looking a limit up is in `load_limits`.
"""

from typing import Final, cast

from geofence.errors import ProfileError
from geofence.load_limits import AxleGroup, AxleLimit, Bound, GrossLimit, LoadLimits, Measure
from geofence.profile_values import (
    Table,
    check_days,
    check_keys,
    check_order,
    read_date,
    read_mark,
    read_number,
    read_table,
    read_text,
)

GROUPS: Final = ("single", "tandem", "tridem")
MEASURES: Final = ("first_to_last_axle", "kingpin_to_first_axle")
KINDS: Final = ("rigid", "tractor_semi", "rigid_trailer", "bus", "car")
MOST_AXLES: Final = 99

_TABLE: Final = ("title", "effective_from", "effective_to", "axle", "gross")
_AXLE: Final = ("group", "limit_kg", "spacing_under_m", "spacing_up_to_m", "source", "mark")
_GROSS: Final = (
    "kinds", "limit_kg", "axles", "axles_at_least", "measure", "length_under_m",
    "length_up_to_m", "source", "mark",
)  # fmt: skip


def _rows(table: Table, key: str, place: str) -> list[tuple[str, Table]]:
    raw = table.get(key)
    if not isinstance(raw, list) or not raw:
        raise ProfileError(f"{place}.{key}", f"expected a list of tables, got {raw!r}")
    places = [f"{place}.{key}[{number}]" for number in range(len(raw))]
    return [(at, read_table(row, at)) for at, row in zip(places, raw, strict=True)]


def _bound(row: Table, name: str, place: str) -> Bound:
    under, up_to = f"{name}_under_m", f"{name}_up_to_m"
    if under in row and up_to in row:
        raise ProfileError(f"{place}.{up_to}", f"expected one of {under}, {up_to}, got both")
    return Bound(
        under_m=read_number(row, under, place) if under in row else None,
        up_to_m=read_number(row, up_to, place) if up_to in row else None,
    )


def _one_of(row: Table, key: str, choices: tuple[str, ...], place: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or value not in choices:
        raise ProfileError(f"{place}.{key}", f"expected one of {', '.join(choices)}, got {value!r}")
    return value


def _axle(row: Table, place: str) -> AxleLimit:
    check_keys(row, _AXLE, place)
    return AxleLimit(
        group=cast("AxleGroup", _one_of(row, "group", GROUPS, place)),
        limit_kg=read_number(row, "limit_kg", place),
        spacing=_bound(row, "spacing", place),
        source=read_text(row, "source", place),
        mark=read_mark(row, place),
    )


def _axles(row: Table, place: str) -> tuple[int, int]:
    if ("axles" in row) == ("axles_at_least" in row):
        raise ProfileError(f"{place}.axles", "expected one of axles, axles_at_least")
    key = "axles" if "axles" in row else "axles_at_least"
    number = row[key]
    if isinstance(number, bool) or not isinstance(number, int) or not 2 <= number <= MOST_AXLES:
        raise ProfileError(f"{place}.{key}", f"expected 2..{MOST_AXLES}, got {number!r}")
    return number, number if key == "axles" else MOST_AXLES


def _gross(row: Table, place: str) -> GrossLimit:
    check_keys(row, _GROSS, place)
    kinds = row.get("kinds")
    if not isinstance(kinds, list) or not kinds or any(kind not in KINDS for kind in kinds):
        raise ProfileError(f"{place}.kinds", f"expected some of {', '.join(KINDS)}, got {kinds!r}")
    least, most = _axles(row, place)
    length = _bound(row, "length", place)
    has_measure = "measure" in row
    if not length.is_open and not has_measure:
        raise ProfileError(f"{place}.measure", f"expected one of {', '.join(MEASURES)}, got none")
    return GrossLimit(
        kinds=tuple(kinds),
        limit_kg=read_number(row, "limit_kg", place),
        axles_from=least,
        axles_to=most,
        measure=cast("Measure", _one_of(row, "measure", MEASURES, place)) if has_measure else None,
        length=length,
        source=read_text(row, "source", place),
        mark=read_mark(row, place),
    )


def _tables(row: Table, place: str) -> LoadLimits:
    check_keys(row, _TABLE, place)
    begins = read_date(row, "effective_from", place)
    ends = read_date(row, "effective_to", place)
    check_days(begins, ends, place)
    return LoadLimits(
        title=read_text(row, "title", place),
        effective_from=begins,
        effective_to=ends,
        axle=tuple(_axle(entry, at) for at, entry in _rows(row, "axle", place)),
        gross=tuple(_gross(entry, at) for at, entry in _rows(row, "gross", place)),
    )


def read_load_limits(raw: object) -> tuple[LoadLimits, ...]:
    """The tables of a profile, in order of time and without overlap. Raises ProfileError."""
    if not isinstance(raw, list):
        raise ProfileError("load_limits", f"expected a list of tables, got {raw!r}")
    places = [f"load_limits[{number}]" for number in range(len(raw))]
    tables = tuple(_tables(read_table(row, at), at) for at, row in zip(places, raw, strict=True))
    check_order([(t.effective_from, t.effective_to) for t in tables], "load_limits")
    return tables
