"""Numbers that both directions of EGTS need: the header, the epoch, the scale of places."""

from struct import Struct
from typing import Final

from devices.batch import Input

EPOCH_S: Final = 1_262_304_000
"""2010-01-01T00:00:00Z, in seconds since 1970."""

HEADER: Final = Struct("<BBBBBHHB")
"""Version, key, flags, length of the header, encoding, length of the data, number, type."""

RESPONSE: Final = 0
APPDATA: Final = 1
SIGNED: Final = 2

FULL: Final = 0xFFFF_FFFF
"""90 degrees of latitude, 180 of longitude."""

DIGITAL: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)
