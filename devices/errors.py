"""Errors of the wire formats.

DevicesError
├── DecodeError      a payload, or a part of one, that cannot become fixes or weighings
├── EncodeError      fixes that a format cannot carry
└── CodecNotFoundError  a codec name that nobody registered
"""

from enum import StrEnum


class Reject(StrEnum):
    """Why a payload was refused. The value is the reason that the quarantine counts and shows."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    BAD_CHECKSUM = "bad_checksum"
    BAD_ENCODING = "bad_encoding"
    BAD_SYNTAX = "bad_syntax"
    MISSING_FIELD = "missing_field"
    BAD_VALUE = "bad_value"
    NOT_FINITE = "not_finite"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    COORDINATES_OUT_OF_RANGE = "coordinates_out_of_range"
    UNSUPPORTED = "unsupported"
    NO_CONTENT = "no_content"


class DevicesError(Exception):
    """Base of every error that this package raises."""


class DecodeError(DevicesError):
    """A frame that cannot become fixes.

    `reason` is counted; `at` is the byte offset (or the index of the element in an array format)
    where it went wrong; `detail` says what was found and what was expected.
    """

    def __init__(self, reason: Reject, *, at: int = 0, detail: str = "") -> None:
        self.reason = reason
        self.at = at
        self.detail = detail
        super().__init__(f"{reason} at {at}" + (f": {detail}" if detail else ""))


class EncodeError(DevicesError):
    """Fixes or weighings that a format has no way to carry."""


class ColumnMapError(DevicesError):
    """A column map that names columns or units that do not exist."""


class CodecNotFoundError(DevicesError):
    """A codec name that nobody registered; the message lists the names there are."""
