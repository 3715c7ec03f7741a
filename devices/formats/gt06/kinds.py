"""GT06: names of the frames that carry no position, for people who read a refusal."""

from typing import Final

KINDS: Final[dict[int, str]] = {
    0x01: "login",
    0x08: "heartbeat",
    0x11: "cells",
    0x13: "heartbeat with status",
    0x14: "satellites",
    0x15: "answer to a command",
    0x17: "cells, or wifi",
    0x18: "cells",
    0x19: "cells with status",
    0x21: "answer to a command",
    0x23: "heartbeat",
    0x24: "cells",
    0x28: "cells",
    0x2A: "request for an address",
    0x2C: "wifi",
    0x2E: "cells",
    0x33: "wifi",
    0x34: "cells",
    0x35: "photo",
    0x36: "status, or photo data",
    0x40: "battery management",
    0x41: "multimedia",
    0x65: "trouble codes",
    0x66: "vehicle bus values",
    0x69: "wifi",
    0x80: "command",
    0x81: "answer to a command",
    0x82: "command",
    0x8A: "request for the time",
    0x8C: "vehicle bus values",
    0x8D: "file",
    0x90: "SIM numbers",
    0x94: "information",
    0x95: "alarm without a position",
    0x97: "address",
    0x9B: "data of the serial port",
    0x9C: "data of the serial port",
    0xA1: "cells",
    0xA2: "wifi",
    0xA3: "status",
    0xA5: "alarm with cells",
    0xA7: "request for an address",
    0xA9: "alarm with wifi",
    0xB0: "attendance",
    0xB2: "bluetooth clock",
    0xF1: "device status",
    0xF2: "accessories",
    0xF3: "wifi",
    0xFD: "identification",
}


def kind_name(kind: int) -> str:
    """The kind as people know it: `13 (heartbeat with status)`."""
    name = KINDS.get(kind)
    return f"{kind:02x} ({name})" if name else f"{kind:02x}"
