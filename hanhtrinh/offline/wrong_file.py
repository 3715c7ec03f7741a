"""WrongFileError: what is wrong with a file, and where in it."""

from pathlib import Path
from typing import Literal

from hanhtrinh.errors import CommandError


class WrongFileError(CommandError):
    """A file that cannot be read as what it should be.

    line: from 1; None where the file has none (Parquet) or it is the whole file. column: a name
    of a table, or a place within a GeoJSON feature. unit: what `line` counts.
    """

    def __init__(
        self,
        file: Path,
        wrong: str,
        *,
        line: int | None = None,
        column: str = "",
        unit: Literal["line", "row"] = "line",
    ) -> None:
        self.file, self.line, self.column, self.wrong = file, line, column, wrong
        self.unit = unit
        where = [f"{unit} {line}"] if line is not None else []
        where += [f"column {column}"] if column else []
        super().__init__(": ".join([str(file), *([", ".join(where)] if where else []), wrong]))


def text_of(file: Path) -> str:
    """The text of a file. Raises WrongFileError where it is none."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        raise WrongFileError(
            file,
            f"expected UTF-8, got the byte 0x{error.object[error.start]:02x}",
            line=before.count(b"\n") + 1,
        ) from None
    except OSError as error:
        raise WrongFileError(file, f"{(error.strerror or str(error)).lower()}") from None
