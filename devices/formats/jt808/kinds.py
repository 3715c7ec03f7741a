"""JT/T 808: names of the messages that carry no location, for people who read a refusal."""

from typing import Final

KINDS: Final[dict[int, str]] = {
    0x0001: "general response",
    0x0002: "heartbeat",
    0x0003: "log-out",
    0x0004: "time request",
    0x0005: "request to send sub-packets again",
    0x0100: "registration",
    0x0102: "authentication",
    0x0104: "parameters",
    0x0107: "attributes",
    0x0108: "result of an upgrade",
    0x0109: "time request",
    0x0301: "event report",
    0x0302: "answer to a question",
    0x0303: "information on demand",
    0x0506: "heartbeat",
    0x0608: "areas and routes",
    0x0700: "driving record",
    0x0701: "waybill",
    0x0702: "driver's identity",
    0x0705: "CAN data",
    0x0800: "multimedia event",
    0x0805: "answer of the camera",
    0x0900: "transparent data",
    0x0901: "compressed data",
    0x0A00: "RSA key",
    0x1003: "audio and video attributes",
    0x1005: "passenger count",
    0x1007: "time zone request",
    0x1205: "list of recordings",
    0x1206: "end of an upload",
    0x1210: "alarm attachments",
    0x1300: "answer to a text",
    0x2070: "accelerations",
    0x6006: "text",
}


def kind_name(kind: int) -> str:
    """The kind as people know it: `0002 (heartbeat)`."""
    name = KINDS.get(kind, "message to the terminal" if kind >= 0x8000 else "")
    return f"{kind:04x} ({name})" if name else f"{kind:04x}"
