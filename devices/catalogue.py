"""The catalogue: importing this module fills `devices.codec.CODECS`.

Every codec is imported by hand; nothing is scanned for.
"""

from devices import (
    json_fix,
    nmea,
    owntracks,
    teltonika,
    teltonika_json,
    ufms,
    weigh_csv,
    weigh_json,
)
from devices.codec import CODECS, Codec, codec

__all__ = [
    "CODECS",
    "Codec",
    "codec",
    "json_fix",
    "nmea",
    "owntracks",
    "teltonika",
    "teltonika_json",
    "ufms",
    "weigh_csv",
    "weigh_json",
]
