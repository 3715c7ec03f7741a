"""The catalogue: importing this module fills `devices.codec.CODECS`.

Every codec is imported by hand; nothing is scanned for.
"""

from devices.codec import CODECS, Codec, codec
from devices.formats import (
    cellocator,
    flespi,
    flexapi,
    gps103,
    h02,
    iotm,
    json_fix,
    owntracks,
    pui,
    ruptela,
    tk103,
    traccar,
)
from devices.formats.eelink import packet as eelink
from devices.formats.egts import packet as egts
from devices.formats.galileo import packet as galileo
from devices.formats.gt06 import codec as gt06
from devices.formats.jt808 import codec as jt808
from devices.formats.jt808 import json_messages as jt808_json
from devices.formats.meitrack import codec as meitrack
from devices.formats.nmea import codec as nmea
from devices.formats.osmand import codec as osmand
from devices.formats.queclink import codec as queclink
from devices.formats.suntech import codec as suntech
from devices.formats.t800x import packet as t800x
from devices.formats.teltonika import cbor_messages as teltonika_cbor
from devices.formats.teltonika import json_messages as teltonika_json
from devices.formats.teltonika import packet as teltonika
from devices.formats.ufms import codec as ufms
from devices.formats.weighing import axle_events as weigh_axle_events
from devices.formats.weighing import csv_lines as weigh_csv
from devices.formats.weighing import json_messages as weigh_json
from devices.formats.wialon import codec as wialon

__all__ = [
    "CODECS",
    "Codec",
    "cellocator",
    "codec",
    "eelink",
    "egts",
    "flespi",
    "flexapi",
    "galileo",
    "gps103",
    "gt06",
    "h02",
    "iotm",
    "json_fix",
    "jt808",
    "jt808_json",
    "meitrack",
    "nmea",
    "osmand",
    "owntracks",
    "pui",
    "queclink",
    "ruptela",
    "suntech",
    "t800x",
    "teltonika",
    "teltonika_cbor",
    "teltonika_json",
    "tk103",
    "traccar",
    "ufms",
    "weigh_axle_events",
    "weigh_csv",
    "weigh_json",
    "wialon",
]
