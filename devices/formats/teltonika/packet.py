"""Codec "teltonika": AVL data packets of TCP and UDP (docs/codecs/teltonika.md).

Plain bodies of Codec 8, 8 Extended and 16 are read as columns; whatever is odd about a packet, and
Codec 7, is left to the readers of single records.
"""

from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError
from devices.formats.teltonika.columns import read_columns
from devices.formats.teltonika.encoding import encode
from devices.formats.teltonika.framing import Frame, framed
from devices.formats.teltonika.gh import gh_records
from devices.formats.teltonika.records import add, check_body, records
from devices.merging import merged
from devices.rows import FixRows

GH: Final = 0x07


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode packets: frames one by one, the records of plain ones all at once."""
    rows = FixRows(received)
    frames: list[tuple[int, Frame]] = []
    for index, payload in enumerate(payloads):
        try:
            frames.append((index, framed(payload)))
        except DecodeError as error:
            rows.begin(index)
            rows.refuse(error)
    plain, odd = read_columns(frames, received)
    for index, frame in odd:
        read_packet(index, frame, rows)
    return merged([*plain, rows.decoded()])


def decode_slowly(payloads: Sequence[bytes], received: I64) -> Decoded:
    """As `decode`, record by record: its obvious twin."""
    rows = FixRows(received)
    for index, payload in enumerate(payloads):
        try:
            frame = framed(payload)
        except DecodeError as error:
            rows.begin(index)
            rows.refuse(error)
        else:
            read_packet(index, frame, rows)
    return rows.decoded()


def read_packet(index: int, frame: Frame, rows: FixRows) -> None:
    """Read one packet; what contradicts itself is refused whole."""
    rows.begin(index)
    try:
        check_body(frame)
        refused: list[tuple[DecodeError, int]] = []
        if frame.codec == GH:
            found = list(gh_records(frame, lambda error, at: refused.append((error, at))))
        else:
            found = list(records(frame))
    except DecodeError as error:
        rows.refuse(error)
        return
    for reason, at in refused:
        rows.refuse(reason, at)
    for record in found:
        add(rows, record, frame.ident)


TELTONIKA: Final = register(Codec(name="teltonika", decode=decode, encode=encode))
