"""Texts of trackers that carry the fields of a sentence, but no sentence.

Belongs here: formats of one line whose fields are those of RMC and GGA under another head, each a
row of `SHAPES`. Texts with a sentence inside are read by codec.py. Described by their makers: the
GpsGate server protocol ($FRCMD, $FRPOS), u-blox' $PUBX,00, Megastek's $MGV002, Totem's AT07 and
AT09 ($$), Atlanta's ATL, Astra's WMCS ($ID); QZE only by its messages.
"""

import re
from collections.abc import Iterator
from math import nan
from typing import Any, Final, NamedTuple

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.nmea.around import known_serial, nearest, shown
from devices.formats.nmea.sentences import day_us, degrees, time_of_day_us
from devices.rows import FixRows
from devices.units import KNOT_KMH
from devices.xor8 import xor8


class Shape(NamedTuple):
    """One text: a pattern whose groups are named as the values they hold.

    date: the order of a date's two-digit parts, "" if the text has none. minutes: whether angles
    are written dddmm.mmmm, else in degrees. speed_kmh: km/h of its unit of speed. odometer_m:
    metres of its unit of distance. valid: what group `valid` says of a fix. checked: whether
    `*hh` follows.
    """

    name: str
    pattern: re.Pattern[bytes]
    date: str = "dmy"
    minutes: bool = True
    speed_kmh: float = 1.0
    odometer_m: float = 1000.0
    valid: frozenset[bytes] = frozenset({b"A"})
    checked: bool = False


def _shape(name: str, pattern: bytes, **options: Any) -> Shape:
    return Shape(name, re.compile(pattern, re.VERBOSE), **options)


_PLACE: Final = rb"""(?P<lat>[\d.]{1,16}),(?P<ns>[NS]),(?P<lon>[\d.]{1,16}),(?P<ew>[EW]),"""
_GPSGATE: Final = (
    _PLACE
    + rb"""
    (?P<altitude>[-\d.]{0,12}),(?P<speed>[\d.]{0,12}),(?P<course>[\d.]{0,12}),
    (?P<date>\d{6}),(?P<clock>\d{6}[\d.]{0,8})"""
)

SHAPES: Final = (
    _shape(
        "frcmd",
        rb"\$FRCMD,(?P<ident>[^,*]{0,64}),_SendMessage,[^,*]{0,64},"
        + _GPSGATE
        + rb",(?P<valid>[01])(?P<rest>[^*\r\n]{0,1000})",
        speed_kmh=KNOT_KMH, valid=frozenset({b"1"}), checked=True,
    ),
    _shape(
        "frpos", rb"\$FRPOS," + _GPSGATE + rb"(?P<rest>[^*\r\n]{0,1000})",
        speed_kmh=KNOT_KMH, checked=True,
    ),
    _shape(
        "pubx",
        rb"\$PUBX,00,(?P<clock>\d{6}[\d.]{0,8}),"
        + _PLACE
        + rb"""(?P<altitude>[-\d.]{0,12}),(?P<valid>[A-Z0-9]{2}),[\d.]{0,12},[\d.]{0,12},
        (?P<speed>[\d.]{0,12}),(?P<course>[\d.]{0,12}),[-\d.]{0,12},[\d.]{0,12},
        (?P<hdop>[\d.]{0,12}),[\d.]{0,12},[\d.]{0,12},(?P<satellites>\d{0,3})
        (?P<rest>[^*\r\n]{0,100})""",
        date="", valid=frozenset({b"G2", b"G3", b"D2", b"D3", b"RK", b"DR"}), checked=True,
    ),
    _shape(
        "mgv002",
        rb"""\$MGV002,(?P<ident>\d{15}),[^,]{0,64},(?P<kind>[A-Z]),(?P<date>\d{6}),
        (?P<clock>\d{6}),(?P<valid>[AV]),"""
        + _PLACE
        + rb"""(?P<beidou>\d{0,2}),(?P<satellites>\d{0,2}),(?P<glonass>\d{0,2}),
        (?P<hdop>[\d.]{0,8}),(?P<speed>[\d.]{0,12}),(?P<course>[\d.]{0,12}),
        (?P<altitude>[-\d.]{0,12}),(?P<odometer>[\d.]{0,12}),(?P<rest>[^;\r\n]{0,2000})""",
        speed_kmh=KNOT_KMH,
    ),
    _shape(
        "totem_at09",
        rb"""\$\$\d{4}(?P<alarm>[0-9A-F]{2})(?P<ident>\d{15})\|(?P<status>[0-9A-F]{8})
        (?P<date>\d{6})(?P<clock>\d{6})(?P<rest>[0-9A-F]{8,64})
        (?P<satellites>\d\d)(?P<gsm>\d\d)(?P<course>\d{3})(?P<speed>\d{3})(?P<hdop>\d\d\.\d)
        (?P<odometer>\d{7})(?P<lat>\d{4}\.\d{4})(?P<ns>[NS])(?P<lon>\d{5}\.\d{4})(?P<ew>[EW])""",
        date="ymd",
    ),
    _shape(
        "totem_at07",
        rb"""\$\$[0-9A-F]{2}(?P<ident>\d{15})\|(?P<alarm>[0-9A-F]{2})(?P<date>\d{6})
        (?P<clock>\d{6})\|(?P<valid>[AV])\|(?P<lat>[\d.]{4,12})\|(?P<ns>[NS])\|
        (?P<lon>[\d.]{4,12})\|(?P<ew>[EW])\|(?P<speed>[\d.]{0,10})\|(?P<course>[\d.]{0,10})\|
        (?P<hdop>[\d.]{0,8})\|(?P<rest>[^\r\n]{0,1000})""",
        speed_kmh=KNOT_KMH,
    ),
    _shape(
        "totem_compact",
        rb"""\$\$[0-9A-F]{2}(?P<ident>\d{15})\|(?P<alarm>[0-9A-F]{2})(?P<date>\d{6})(?P<clock>\d{6})
        (?P<rest>[0-9A-F]{31})(?P<valid>[AV])(?P<satellites>\d\d)(?P<course>\d{3})(?P<speed>\d{3})
        (?P<hdop>\d\d\.\d)(?P<odometer>\d{7})(?P<lat>\d{4}\.\d{4})(?P<ns>[NS])
        (?P<lon>\d{5}\.\d{4})(?P<ew>[EW])""",
        speed_kmh=KNOT_KMH,
    ),
    _shape(
        "totem_cloud",
        rb"""\$\$\d{4}(?P<alarm>[0-9A-F]{2})(?P<ident>\d{15})\|(?P<date>\d{6})(?P<clock>\d{6}),
        (?P<lon>-?\d{1,3}\.\d{1,8}),(?P<lat>-?\d{1,2}\.\d{1,8}),(?P<rest>[^\r\n]{0,1000})""",
        date="ymd", minutes=False,
    ),
    _shape(
        "atl",
        rb"""ATL,(?P<kind>[LH]),(?P<ident>\d{15}),[A-Z]{1,4},(?P<date>\d{6}),(?P<clock>\d{6}),
        (?P<valid>[AV]),"""
        + _PLACE
        + rb"""(?P<speed>[\d.]{0,10}),(?P<rest>[^\r\n]{0,1000})""",
        minutes=False,
    ),
    _shape(
        "atl_stored",
        rb"""(?P<kind>[LH]),ATL,(?P<ident>\d{15}),(?P<alarm>\d\d),\d{1,8},(?P<clock>\d{6}),
        (?P<date>\d{6}),(?P<valid>[AV]),(?P<lat>[\d.]{1,16});(?P<ns>[NS]),(?P<lon>[\d.]{1,16});
        (?P<ew>[EW]),(?P<speed>[\d.]{0,10}),(?P<course>[\d.]{0,10}),(?P<rest>[^\r\n]{0,1000})""",
        minutes=False,
    ),
    _shape(
        "qze",
        rb"""QZE,(?P<ident>\d{15}),(?P<alarm>\d{1,4}),(?P<date>\d{4}20\d\d),(?P<clock>\d{6}),
        (?P<lat>-?\d{1,2}\.\d{1,8}),(?P<lon>-?\d{1,3}\.\d{1,8}),(?P<speed>[\d.]{0,10}),
        (?P<course>[\d.]{0,10}),(?P<valid>[AV]),(?P<rest>[^\r\n]{0,1000})""",
        minutes=False,
    ),
    _shape(
        "wmcs",
        rb"""\$ID,(?P<ident>\d{15}),(?P<rest>[^\r\n]{0,200}?),(?P<valid>[AV]),D,(?P<date>\d{6}),
        T,(?P<clock>\d{6}),S,(?P<satellites>\d{1,2}):\d{1,2},La,(?P<lat>[\d.]{1,12}),(?P<ns>[NS]),
        Lo,(?P<lon>[\d.]{1,12}),(?P<ew>[EW])
        (?:,H,(?P<course>[\d.]{1,10}))?(?:,V,(?P<speed>[\d.]{1,10}))?""",
        minutes=False,
    ),
)  # fmt: skip

HEADS: Final = re.compile(rb"\$(?:FRCMD|FRPOS|PUBX,00|MGV002|ID),|\$\$[0-9A-F]|ATL,|[LH],ATL,|QZE,")
"""Where one of `SHAPES` can begin; nowhere else are they looked for."""


def vendor_texts(payload: bytes) -> Iterator[tuple[Shape, re.Match[bytes]]]:
    """The texts of these shapes in a payload, in order; none overlaps another."""
    end = 0
    for head in HEADS.finditer(payload):
        if head.start() < end:
            continue
        for shape in SHAPES:
            found = shape.pattern.match(payload, head.start())
            if found:
                end = found.end()
                yield shape, found
                break


def add_text(shape: Shape, found: re.Match[bytes], payload: bytes, rows: FixRows) -> None:
    """Add the fix of a text. Raises DecodeError."""
    values = {name: value for name, value in found.groupdict().items() if value is not None}
    if shape.checked:
        _check_sum(payload, found)
    try:
        clock = time_of_day_us(values["clock"])
        day = _day(values["date"], shape.date) if shape.date else None
        lat = _angle(shape, values["lat"], values.get("ns"), b"N", b"S")
        lon = _angle(shape, values["lon"], values.get("ew"), b"E", b"W")
    except (ValueError, KeyError) as error:
        raise DecodeError(Reject.BAD_VALUE, detail=f"{shape.name}: {error}") from None
    satellites = _number(values, "satellites")
    near = int(rows.received[rows.payload])
    good = values.get("valid", b"A" if satellites != 0 else b"V") in shape.valid
    rows.add(
        (clock or 0) + day if day is not None else nearest(clock or 0, near),
        lon,
        lat,
        at=found.start(),
        speed_kmh=_number(values, "speed") * shape.speed_kmh,
        heading=_number(values, "course"),
        altitude=_number(values, "altitude"),
        hdop=_number(values, "hdop"),
        satellites=satellites,
        odometer=_number(values, "odometer") * shape.odometer_m,
        ident=known_serial(values.get("ident", b"").decode("latin-1")),
        quality=0 if good else Quality.NO_POSITION,
        extra=_extra(shape, values),
    )


def _extra(shape: Shape, values: dict[str, bytes]) -> dict[str, str]:
    kept = {name: shown(values[name]) for name in _KEPT if values.get(name)}
    return {"format": shape.name, **{name: text for name, text in kept.items() if text}}


_KEPT: Final = ("kind", "alarm", "status", "beidou", "glonass", "gsm", "rest")


def _check_sum(payload: bytes, found: re.Match[bytes]) -> None:
    """Check `*hh` behind a text that has it."""
    sent = _SUM.match(payload, found.end())
    value = xor8(payload[found.start() + 1 : found.end()])
    if sent and int(sent[1], 16) != value:
        detail = f"checksum: expected {value:02X}, got {sent[1]!r}"
        raise DecodeError(Reject.BAD_CHECKSUM, detail=detail)


_SUM: Final = re.compile(rb"\*([0-9A-Fa-f]{2})")


def _day(field: bytes, order: str) -> int:
    """Midnight of a date written in this order; a year may have four digits at its end."""
    if len(field) == 8:
        field = field[:4] + field[6:]
    return day_us(field if order == "dmy" else field[4:6] + field[2:4] + field[:2])


def _angle(shape: Shape, field: bytes, side: bytes | None, plus: bytes, minus: bytes) -> float:
    if shape.minutes:
        return degrees(field, side or b"", plus, minus)
    value = float(field)
    return -value if side == minus else value


def _number(values: dict[str, bytes], name: str) -> float:
    try:
        return float(values.get(name) or nan)
    except ValueError as error:
        raise DecodeError(Reject.BAD_VALUE, detail=f"{name}: {error}") from None
