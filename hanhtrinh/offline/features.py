"""Features of a GeoJSON file, each of which knows where it stands, and their properties.

Belongs here: reading properties as what they should be, and saying what is wrong with them. What
the features of a kind of file mean is for that file's module.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from geofence.hours import midnight_us
from hanhtrinh.offline.wrong_file import WrongFileError, text_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BYTE: Final = re.compile(r"\(byte (\d+)\)")


class _Collection(msgspec.Struct, tag="FeatureCollection"):
    features: list[msgspec.Raw]


class _Feature(msgspec.Struct, tag="Feature"):
    geometry: dict[str, Any]
    properties: dict[str, Any] | None = None
    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: the row-th of its file, from 0; of the `content`, bytes from start to end.

    content: empty for a feature of a table, which has no lines.
    """

    file: Path
    row: int
    content: bytes
    start: int
    end: int
    geometry: dict[str, Any]
    properties: dict[str, Any]

    def wrong(self, place: str, expected: str) -> WrongFileError:
        """The error that says what was expected of a property, or of another part."""
        if not self.content:
            return WrongFileError(self.file, expected, line=self.row + 1, column=place, unit="row")
        inside = self.content[self.start : self.end]
        key = re.escape(re.split(r"[.\[]", place.removeprefix("properties."))[0].encode())
        known = re.search(rb'"' + key + rb'"\s*:', inside)
        at = self.start + (known.start() if known else 0)
        column = f"features[{self.row}]" + (f".{place}" if place else "")
        line = self.content.count(b"\n", 0, at) + 1
        return WrongFileError(self.file, expected, line=line, column=column)

    def wrong_property(self, name: str, expected: str) -> WrongFileError:
        """The error that says what was expected of a property, and what is there."""
        raw = self.properties.get(name)
        got = "none" if raw is None else repr(raw)
        return self.wrong(f"properties.{name}", f"{expected}, got {_short(got)}")

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse properties that mean nothing here: a misspelt limit must not be no limit."""
        names = tuple(known)
        for name in self.properties:
            if name not in names:
                expected = f"expected one of {', '.join(names)}"
                raise self.wrong(f"properties.{name}", f"{expected}, got {name!r}")

    def has(self, name: str) -> bool:
        """Whether there is a property."""
        return self.properties.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A property's text; a number is taken as one."""
        raw = self.properties.get(name, default)
        if isinstance(raw, int) and not isinstance(raw, bool):
            raw = str(raw)
        if not isinstance(raw, str) or (not raw and default is None):
            raise self.wrong_property(name, "expected a text")
        return raw

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """A property's text, one of some."""
        raw = self.properties.get(name)
        if raw not in choices:
            raise self.wrong_property(name, f"expected one of {', '.join(choices)}")
        return str(raw)

    def number(self, name: str, low: float, high: float) -> float | None:
        """A property's number within bounds; None where there is none."""
        raw = self.properties.get(name)
        if raw is not None and not is_number(raw, low, high):
            raise self.wrong_property(name, f"expected a number {low:g}..{high:g}")
        return None if raw is None else float(raw)

    def flag(self, name: str, default: bool) -> bool:
        """A property that is true or false."""
        raw = self.properties.get(name)
        if raw is None:
            return default
        if not isinstance(raw, bool):
            raise self.wrong_property(name, "expected true or false")
        return raw

    def instant(self, name: str, timezone: ZoneInfo, default: int) -> int:
        """A property's instant, microseconds: RFC 3339 with an offset, or the start of a day."""
        if not self.has(name):
            return default
        raw = self.properties[name]
        try:
            return instant_of(raw, timezone)
        except (TypeError, ValueError, OverflowError):
            raise self.wrong_property(name, f"expected {INSTANT}") from None


INSTANT: Final = 'a day or RFC 3339 with an offset, like "2026-01-01"'


def instant_of(text: str, timezone: ZoneInfo) -> int:
    """An instant, microseconds: RFC 3339 with an offset, or the start of a day. Raises ValueError.

    Or TypeError or OverflowError, for what is no text, has no offset or is no year of ours.
    """
    if len(text) == len("2026-01-01"):
        return midnight_us(date.fromisoformat(text), timezone)
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def is_number(raw: object, low: float, high: float) -> bool:
    """Whether a JSON value is a number within bounds."""
    return isinstance(raw, (int, float)) and not isinstance(raw, bool) and low <= raw <= high


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_features(file: Path) -> Iterator[Feature]:
    """The features of a GeoJSON file. Raises WrongFileError naming line and place."""
    for feature in each_feature(file):
        if isinstance(feature, WrongFileError):
            raise feature
        yield feature


def each_feature(file: Path) -> Iterator[Feature | WrongFileError]:
    """The features of a GeoJSON file; for what is no feature, what is wrong with it.

    Raises WrongFileError where the file is no collection.
    """
    content = text_of(file).encode()
    collection = _decode(file, content, 0, _Collection, "expected a GeoJSON FeatureCollection")
    at = max(content.find(b'"features"'), 0)
    for row, raw in enumerate(collection.features):
        at = content.index(bytes(raw), at)
        end = at + len(bytes(raw))
        try:
            yield _feature(file, row, content, at, end)
        except WrongFileError as error:
            yield error
        at = end


def _feature(file: Path, row: int, content: bytes, at: int, end: int) -> Feature:
    lines = content.count(b"\n", 0, at)
    feature = _decode(file, content[at:end], lines, _Feature, f"features[{row}]")
    properties = feature.properties or {}
    if feature.id is not None:
        properties.setdefault("id", feature.id)
    return Feature(file, row, content, at, end, feature.geometry, properties)


def _decode(file: Path, content: bytes, lines: int, kind: type[Any], what: str) -> Any:
    """Decode a part of a file that `lines` lines come before."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise WrongFileError(file, f"{what}: {_lower(error)}", line=lines + 1) from None
    except msgspec.DecodeError as error:
        byte = _BYTE.search(str(error))
        at = int(byte[1]) if byte else 0
        before = content[:at]
        column = str(len(before) - before.rfind(b"\n"))
        line = lines + before.count(b"\n") + 1
        raise WrongFileError(file, f"{what}: {_lower(error)}", line=line, column=column) from None


def _lower(error: Exception) -> str:
    text = str(error)
    return text[0].lower() + text[1:]
