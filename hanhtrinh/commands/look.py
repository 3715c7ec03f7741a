"""The verb that looks into bytes: decode."""

import sys
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import Annotated, cast

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
    ident: Annotated[
        str, typer.Option(help="Identity that the topic would name: an IMEI, a station's code.")
    ] = "",
) -> None:
    """Decode payloads of a codec: one JSON object a payload.

    The file is one payload unless a form is given, then each line is one, an empty line too.
    Exits with 0 if all was decoded, 1 if any payload, or part of one, was refused, 2 if the
    command was not understood.
    """
    from devices.catalogue import CODECS  # noqa: PLC0415
    from hanhtrinh.decoding import Form, decoded_lines, payloads  # noqa: PLC0415

    if codec not in CODECS:
        raise UsageError(f"--codec: expected one of {', '.join(sorted(CODECS))}, got {codec!r}")

    given: dict[Form, bool] = {"hex": is_hex, "base64": is_base64, "text": is_text}
    forms = [name for name, is_given in given.items() if is_given]
    if len(forms) > 1:
        raise UsageError("decode: expected at most one of --hex, --base64 and --text")
    refused = False
    piped = cast("BufferedReader", sys.stdin.buffer)
    with nullcontext(piped) if str(file) == "-" else file.open("rb") as stream:
        for line in decoded_lines(codec, payloads(stream, forms[0] if forms else "raw"), ident):
            refused |= line["error"] is not None
            write_json(line)
    if refused:
        raise typer.Exit(1)
