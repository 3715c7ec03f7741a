"""The fast path: STT of the ST3 and SA2 families, many at once.

Whatever the pattern does not take is left to `families.py`, which says the same of what it takes.
"""

import re
from typing import Final

import numpy as np

from devices.batch import Quality
from devices.columns import decimals, digits, few_decimals, instants, of_each
from devices.formats.suntech.columns import io_inputs
from devices.usual import Fields, Usual, Way

_STT: Final = re.compile(
    rb"(S(?:T3|A2)[0-9]{2})STT;([0-9A-Za-z]{1,20});(?:([0-9]{1,3});)?([0-9A-Za-z]{1,8});"
    rb"([0-9]{8};[0-9]{2}:[0-9]{2}:[0-9]{2});([0-9A-Fa-f]{1,12});([+-][0-9]{1,2}\.[0-9]{1,9});"
    rb"([+-][0-9]{1,3}\.[0-9]{1,9});([0-9]{1,4}\.[0-9]{1,6})?;([0-9]{1,3}\.[0-9]{1,6})?;"
    rb"([0-9]{1,3})?;([01]);([0-9]{1,12})?;([0-9]{1,3}\.[0-9]{1,3}|);([01]{0,9});([0-9]{1,2});"
    rb"([0-9A-Fa-f]{1,6})(?:;([0-9]{1,10});([0-9]{1,2}\.[0-9]{1,3});([01]))?[\r\n]{0,2}"
)


def _say(fields: Fields) -> Usual:
    (
        family, ident, model, version, time, cell, lat, lon, speed, course,
        satellites, fix, distance, power, io, mode, number, hours, backup, live,
    ) = fields  # fmt: skip
    digit = digits(time, len("yyyymmdd;hh:mm:ss")).astype(np.int64)
    tens = digit[:, [0, 2, 4, 6, 9, 12, 15]] * 10 + digit[:, [1, 3, 5, 7, 10, 13, 16]]
    extra = map(_extra, family, model, version, cell, power, io, mode, number, hours, backup, live)
    return Usual(
        {
            "time": instants(tens[:, 0] * 100 + tens[:, 1], *tens[:, 2:].T),
            "lon": decimals(lon),
            "lat": decimals(lat),
            "speed_kmh": decimals(speed),
            "heading": few_decimals(course),
            "satellites": few_decimals(satellites),
            "odometer": decimals(distance),
            "inputs": of_each(lambda one: io_inputs(one.decode()), io),
            "quality": np.where(digits(fix, 1)[:, 0] == 1, 0, int(Quality.NO_POSITION)),
        },
        list(extra),
        ident,
    )


WAYS: Final = (Way(_STT, _say),)


def _extra(
    family: bytes, model: bytes, version: bytes, cell: bytes, power: bytes, io: bytes,
    mode: bytes, number: bytes, hours: bytes, backup: bytes, live: bytes,
) -> bytes:  # fmt: skip
    """What `families.py` says beside the columns, in its order."""
    made = b'{"report":"' + family + b"STT"
    if model:
        made += b'","model":"' + model
    made += b'","version":"' + version + b'","cell":"' + cell
    if power:
        made += b'","power_v":"' + power
    if io:
        made += b'","io":"' + io
    made += b'","mode":"' + mode + b'","number":"' + number
    if live:
        made += b'","hour_meter":"' + hours + b'","backup_v":"' + backup
    return made + (b'","buffered":true}' if live == b"0" else b'"}')
