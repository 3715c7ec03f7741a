"""The catalogue: importing this module fills `devices.codec.CODECS`.

Every codec is imported by hand; nothing is scanned for.
"""

from devices.codec import CODECS, Codec, codec
from devices.formats import flespi, flexapi, json_fix, osmand, owntracks, pui, traccar
from devices.formats.nmea import codec as nmea
from devices.formats.teltonika import cbor_messages as teltonika_cbor
from devices.formats.teltonika import json_messages as teltonika_json
from devices.formats.teltonika import packet as teltonika
from devices.formats.ufms import codec as ufms
from devices.formats.weighing import axle_events as weigh_axle_events
from devices.formats.weighing import csv_lines as weigh_csv
from devices.formats.weighing import json_messages as weigh_json

__all__ = [
    "CODECS",
    "Codec",
    "codec",
    "flespi",
    "flexapi",
    "json_fix",
    "nmea",
    "osmand",
    "owntracks",
    "pui",
    "teltonika",
    "teltonika_cbor",
    "teltonika_json",
    "traccar",
    "ufms",
    "weigh_axle_events",
    "weigh_csv",
    "weigh_json",
]
