"""The catalogue: importing this module fills `devices.codec.CODECS`.

Every codec is imported by hand; nothing is scanned for.
"""

from devices.codec import CODECS, Codec, codec
from devices.formats import json_fix, owntracks
from devices.formats.gt06 import codec as gt06
from devices.formats.jt808 import codec as jt808
from devices.formats.jt808 import json_messages as jt808_json
from devices.formats.nmea import codec as nmea
from devices.formats.teltonika import json_messages as teltonika_json
from devices.formats.teltonika import packet as teltonika
from devices.formats.ufms import codec as ufms
from devices.formats.weighing import csv_lines as weigh_csv
from devices.formats.weighing import json_messages as weigh_json

__all__ = [
    "CODECS",
    "Codec",
    "codec",
    "gt06",
    "json_fix",
    "jt808",
    "jt808_json",
    "nmea",
    "owntracks",
    "teltonika",
    "teltonika_json",
    "ufms",
    "weigh_csv",
    "weigh_json",
]
