"""Which conversation a codec's trackers hold. Every stream is imported by hand, as codecs are."""

from typing import Final

from devices.streams.cellocator import CellocatorStream
from devices.streams.eelink import EelinkStream
from devices.streams.egts import EgtsStream
from devices.streams.galileo import GalileoStream
from devices.streams.gps103 import Gps103Stream
from devices.streams.gt06 import Gt06Stream
from devices.streams.h02 import H02Stream
from devices.streams.jt808 import Jt808Stream
from devices.streams.meitrack import MeitrackStream
from devices.streams.nmea import NmeaStream
from devices.streams.queclink import QueclinkStream
from devices.streams.ruptela import RuptelaStream
from devices.streams.stream import Stream
from devices.streams.suntech import SuntechStream
from devices.streams.t800x import T800xStream
from devices.streams.teltonika import TeltonikaDatagrams, TeltonikaStream
from devices.streams.tk103 import Tk103Stream
from devices.streams.wialon import WialonStream

STREAMS: Final[dict[str, type[Stream]]] = {
    "cellocator": CellocatorStream,
    "eelink": EelinkStream,
    "egts": EgtsStream,
    "galileo": GalileoStream,
    "gps103": Gps103Stream,
    "gt06": Gt06Stream,
    "h02": H02Stream,
    "jt808": Jt808Stream,
    "meitrack": MeitrackStream,
    "nmea": NmeaStream,
    "queclink": QueclinkStream,
    "ruptela": RuptelaStream,
    "suntech": SuntechStream,
    "t800x": T800xStream,
    "teltonika": TeltonikaStream,
    "tk103": Tk103Stream,
    "wialon": WialonStream,
}
"""Codec -> its conversation over TCP."""

DATAGRAMS: Final[dict[str, type[Stream]]] = {
    "cellocator": CellocatorStream,
    "gps103": Gps103Stream,
    "h02": H02Stream,
    "jt808": Jt808Stream,
    "meitrack": MeitrackStream,
    "queclink": QueclinkStream,
    "ruptela": RuptelaStream,
    "suntech": SuntechStream,
    "t800x": T800xStream,
    "teltonika": TeltonikaDatagrams,
    "tk103": Tk103Stream,
}
"""Codec -> its conversation over UDP: formats whose every frame names its sender. A datagram holds
whole frames, and is a conversation of its own."""
