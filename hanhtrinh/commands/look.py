"""The verb that looks into bytes: decode."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hanhtrinh.commands.state import write_json
from hanhtrinh.errors import UsageError


def decode(
    codec: Annotated[str, typer.Option(help="Name of the codec: json, nmea, teltonika, ...")],
    file: Annotated[Path, typer.Argument(help="File of payloads; - for standard input.")] = Path(
        "-"
    ),
    is_hex: Annotated[
        bool, typer.Option("--hex", help="One payload a line, in hexadecimal.")
    ] = False,
    is_base64: Annotated[
        bool, typer.Option("--base64", help="One payload a line, in base64.")
    ] = False,
    is_text: Annotated[bool, typer.Option("--text", help="One payload a line, as it is.")] = False,
) -> None:
    """Decode payloads of a codec: one JSON object a payload.

    The file is one payload unless a form is given, then each line is one. Exits with 1 if any
    payload, or part of one, was refused.
    """
    from hanhtrinh.decoding import decoded_lines, payloads  # noqa: PLC0415

    forms = [name for name, given in _forms(is_hex, is_base64, is_text) if given]
    if len(forms) > 1:
        raise UsageError("decode: expected at most one of --hex, --base64 and --text")
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    refused = False
    for line in decoded_lines(codec, payloads(content, forms[0] if forms else "raw")):
        refused |= line["error"] is not None
        write_json(line)
    if refused:
        raise typer.Exit(1)


def _forms(is_hex: bool, is_base64: bool, is_text: bool) -> list[tuple[str, bool]]:
    return [("hex", is_hex), ("base64", is_base64), ("text", is_text)]
