"""The catalogue: importing this module fills `devices.codec.CODECS`.

Every codec is imported by hand; nothing is scanned for.
"""

from devices.codec import CODECS, Codec, codec
from devices.formats import cellocator, iotm, json_fix, owntracks, ruptela
from devices.formats.eelink import packet as eelink
from devices.formats.egts import packet as egts
from devices.formats.galileo import packet as galileo
from devices.formats.nmea import codec as nmea
from devices.formats.t800x import packet as t800x
from devices.formats.teltonika import json_messages as teltonika_json
from devices.formats.teltonika import packet as teltonika
from devices.formats.ufms import codec as ufms
from devices.formats.weighing import csv_lines as weigh_csv
from devices.formats.weighing import json_messages as weigh_json

__all__ = [
    "CODECS",
    "Codec",
    "cellocator",
    "codec",
    "eelink",
    "egts",
    "galileo",
    "iotm",
    "json_fix",
    "nmea",
    "owntracks",
    "ruptela",
    "t800x",
    "teltonika",
    "teltonika_json",
    "ufms",
    "weigh_csv",
    "weigh_json",
]
