"""The file of the truth: JSON lines, a header first, then the planned violations.

Belongs here: writing that file while a fleet drives, and reading it. Does not belong here: what is
planned (truth.py), and comparing it with what was found (scoring.py).

A violation's line is written once the fixes sent suffice to show it, with the end
that is planned for it: a run that is killed leaves all that anybody could have found. A run that
ends writes the file anew, with its own end in the header, and cuts the intervals there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from simulators.errors import TruthFileError
from simulators.truth import Planned

FORMAT: Final = "hanhtrinh-truth-1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[int, str, str, str]
"""(started, plate, kind, subject): the order of the file, and no two of one."""


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line. started_at, ended_at: of the run, the past that was sent included.

    ended_at: None in the file of a run that was killed. live_at: when real time began, and the past
    that was sent was over. timetables: codes of the routes whose slots it knows of. interval_s: the
    longest time between two fixes of a vehicle that is not silent by plan. fleet: the plates of all
    vehicles.
    """

    truth: str
    seed: int
    vehicles: int
    codec: str
    interval_s: float
    started_at: datetime
    fleet: list[str]
    ended_at: datetime | None = None
    live_at: datetime | None = None
    timetables: list[str] = msgspec.field(default_factory=list)
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class Line(msgspec.Struct, frozen=True):
    """A planned violation. subject: code of the zone, route or station; empty: there is none.

    vehicle: empty of what no vehicle does (`not_run`).
    """

    kind: str
    vehicle: str
    started_at: datetime
    ended_at: datetime
    subject: str = ""
    ident: str = ""
    details: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Truth:
    """A truth file as read. Intervals end by the run's end, where that is known."""

    header: Header
    planned: tuple[Line, ...]


def rfc3339(time_us: int) -> str:
    """An instant as text: UTC, milliseconds."""
    when = _EPOCH + timedelta(microseconds=time_us)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


class TruthWriter:
    """Writes a truth file while its run goes on."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        """Begin the file. Raises TruthFileError where it cannot be written."""
        if path.exists() and not path.is_file():
            raise TruthFileError(f"{path}: expected a file")
        self._path, self._header = path, header
        self._written: set[Key] = set()
        try:
            _write(path, "w", [header])
        except OSError as error:
            raise TruthFileError(f"{path}: {(error.strerror or str(error)).lower()}") from error

    def add(self, planned: Iterable[Planned]) -> None:
        """Write those that have no line yet."""
        new = sorted((each for each in planned if _key(each) not in self._written), key=_key)
        if new:
            self._written.update(map(_key, new))
            _write(self._path, "a", map(_line, new))

    def finish(self, planned: Iterable[Planned], ended_us: int) -> None:
        """Write the whole file anew, now that the end of the run is known."""
        header = {**self._header, "ended_at": rfc3339(ended_us)}
        cut = (replace(each, ended=min(each.ended, ended_us)) for each in planned)
        beside = self._path.with_name(f"{self._path.name}.part")
        _write(beside, "w", [header, *map(_line, sorted(cut, key=_key))])
        beside.replace(self._path)


def _write(path: Path, mode: Literal["w", "a"], lines: Iterable[dict[str, Any]]) -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _key(planned: Planned) -> Key:
    return planned.started, planned.plate, planned.kind, planned.subject


def _line(planned: Planned) -> dict[str, Any]:
    return {
        "kind": planned.kind,
        "vehicle": planned.plate,
        "ident": planned.ident,
        "subject": planned.subject,
        "started_at": rfc3339(planned.started),
        "ended_at": rfc3339(planned.ended),
        "details": dict(planned.details),
    }


def read_truth(path: Path) -> Truth:
    """Read a truth file. Raises TruthFileError naming the line of what is wrong.

    The last line of a run that was killed may be cut short: it is left out.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise TruthFileError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    header = _decode(path, 1, lines[0], Header)
    if header.truth != FORMAT:
        raise TruthFileError(f"{path}: line 1: truth: expected {FORMAT!r}, got {header.truth!r}")
    rest: Sequence[bytes] = lines[1:-1]  # what follows the last line end was cut short, or nothing
    planned = [
        _decode(path, number, line, Line) for number, line in enumerate(rest, 2) if line.strip()
    ]
    fleet = {*header.fleet, ""}
    for number, line in enumerate(planned, 2):
        if line.vehicle not in fleet:
            raise TruthFileError(
                f"{path}: line {number}: vehicle: expected one of the fleet, got {line.vehicle!r}"
            )
    if header.ended_at is not None:
        last = header.ended_at
        planned = [msgspec.structs.replace(p, ended_at=min(p.ended_at, last)) for p in planned]
    return Truth(header, tuple(planned))


def _decode(path: Path, number: int, line: bytes, kind: type[Any]) -> Any:
    try:
        found = msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = str(error)
        raise TruthFileError(f"{path}: line {number}: {text[0].lower()}{text[1:]}") from None
    for name in ("started_at", "ended_at", "live_at"):
        instant = getattr(found, name, None)
        if instant is not None and instant.tzinfo is None:
            raise TruthFileError(f"{path}: line {number}: {name}: expected an offset, like Z")
    return found
