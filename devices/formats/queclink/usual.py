"""The fast path: GTFRI of one position from vehicle trackers, many at once.

Whatever the pattern does not take is left to `text.py`, which says the same of what it takes.
"""

import re
from math import nan
from typing import Final

import numpy as np

from devices.batch import Quality
from devices.columns import decimals, few_decimals, instants, of_each, pairs
from devices.formats.queclink.reports import status_inputs
from devices.usual import Fields, Usual, Way

_FRI: Final = re.compile(
    rb"\+RESP:GTFRI,((?!11|40|44|52|55|66|DE)[0-9A-F]{6}),([0-9A-Za-z]{1,20}),([0-9A-Za-z_-]{0,16}),([0-9]*),([0-9A-F]{2}),1,"
    rb"([0-9]{1,2}(?:\.[0-9]{1,2})?)?,([0-9]{1,3}(?:\.[0-9])?)?,([0-9]{1,3}(?:\.[0-9])?)?,"
    rb"(-?[0-9]{1,5}(?:\.[0-9])?)?,(-?[0-9]{1,3}\.[0-9]{6}),(-?[0-9]{1,3}\.[0-9]{6}),([0-9]{14}),"
    rb"(?:,,,|([0-9]{3,4},[0-9]{1,4},[0-9A-Fa-f]{2,8},[0-9A-Fa-f]{2,10})),"
    rb"(?:00|01,([0-9]{1,3})),([0-9]{1,12}\.[0-9]{1,6})?,([0-9]{1,9}:[0-9]{2}:[0-9]{2})?,,,"
    rb"([0-9]{1,3})?,([0-9A-F]{6})?,,,,([0-9]{14}),([0-9A-Fa-f]{4})\$"
)


def _say(fields: Fields) -> Usual:
    (
        version, ident, name, power, kind, accuracy, speed, azimuth, altitude, lon, lat, time,
        cell, satellites, odometer, hours, battery, status, sent, count,
    ) = fields  # fmt: skip
    parts = pairs(time, 14)
    hdop = few_decimals(accuracy)
    lost = hdop == 0
    hdop[lost] = nan
    extra = map(_extra, version, name, sent, count, power, kind, cell, hours, battery, status)
    return Usual(
        {
            "time": instants(parts[:, 0] * 100 + parts[:, 1], *parts[:, 2:].T),
            "lon": decimals(lon),
            "lat": decimals(lat),
            "speed_kmh": decimals(speed),
            "heading": few_decimals(azimuth),
            "altitude": decimals(altitude),
            "hdop": hdop,
            "satellites": few_decimals(satellites),
            "odometer": decimals(odometer) * 1000,
            "inputs": of_each(lambda one: status_inputs(one.decode()), status),
            "quality": np.where(lost, int(Quality.NO_POSITION), 0),
        },
        list(extra),
        ident,
    )


WAYS: Final = (Way(_FRI, _say),)


def _extra(
    version: bytes, name: bytes, sent: bytes, count: bytes, power: bytes, kind: bytes,
    cell: bytes, hours: bytes, battery: bytes, status: bytes,
) -> bytes:  # fmt: skip
    """What `text.py` says beside the columns, in its order."""
    made = b'{"report":"fri","protocol":"' + version
    if name:
        made += b'","device_name":"' + name
    made += b'","sent":"' + sent + b'","count":"' + count
    if power:
        made += b'","power_mv":"' + power
    made += b'","report_type":"' + kind + b'","number":"1'
    if cell:
        made += b'","cell":"' + cell
    if hours:
        made += b'","hour_meter":"' + hours
    if battery:
        made += b'","battery_percent":"' + battery
    if status:
        made += b'","status":"' + status
    return made + b'"}'
