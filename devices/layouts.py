"""Layouts: records whose structure lies in themselves, read many at once.

A record of a binary format says in some of its bytes (types, counts, masks, ids) where its values
are. `Walk` follows one record and notes both: bytes that it looks at steer, bytes that it names are
values. Records of one length whose steering bytes are equal have their values at the same places,
so one walk serves them all, and their values are read as columns. A format gives, for each kind of
record, a walk and what its values mean; what a record says alone it says among others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from devices.batch import COLUMNS, I64, Bool, Input, inputs_word
from devices.checks import assemble
from devices.codec import Decoded, Refusal
from devices.errors import DecodeError, Reject
from devices.extra import MAX_EXTRA_BYTES
from devices.records import Records
from devices.texts import Names

_MAX_LAYOUTS: Final = 16
"""Of so many layouts one group of records of equal length is sorted out; the rest one by one, which
costs the same whatever an ill-willed sender makes of them."""

_SIZES: Final = {"1": 1, "2": 2, "4": 4, "8": 8}
_MAX_ALONE: Final = 1000
"""Reading a record by itself costs a hundred times its share of many. Nobody sends so many records
of different layouts in one payload by mistake, and a mebibyte of them would hold up all others."""

_ENCODER: Final = msgspec.json.Encoder()
_LOOKS: Final = {kind: Struct(kind) for kind in ("B", "<H", ">H", "<I", ">I")}
_VALUES: Final = {"B": "u1", "<H": "<u2", ">H": ">u2", "<I": "<u4", ">I": ">u4"}


class Walk:
    """One record while its structure is read; places past its end are DecodeErrors."""

    def __init__(self, data: bytes) -> None:
        self.position = 0
        self.values: list[tuple[Any, int, str]] = []
        self.steering: list[int] = []
        self.masks: list[int] = []
        self.constants: dict[Any, float] = {}
        self._data = data

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self.position

    def look(self, kind: str = "B", *, mask: int = 0xFF, key: Any = None) -> int:
        """The number here, by which the walk goes on: u8 "B", u16 "<H" ">H", u32 "<I" ">I".

        mask: the bits of one byte that count. With a key the whole is a value as well.
        """
        form = _LOOKS[kind]
        start = self._pass(form.size)
        self.steering.extend(range(start, self.position))
        self.masks.extend([mask] * form.size)
        if key is not None:
            self.values.append((key, start, _VALUES[kind]))
        found: int = form.unpack_from(self._data, start)[0]
        return found & mask if form.size == 1 else found

    def narrow(self, mask: int) -> None:
        """Say of the byte looked at last that only these bits steer."""
        self.masks[-1] = mask

    def constant(self, key: Any, value: float) -> None:
        """Name a value that the bytes looked at say by themselves."""
        self.constants[key] = value

    def value(self, key: Any, kind: str) -> None:
        """Name the value here: a NumPy dtype ("<i4"), "<u3" or ">u3", or "V6" for six bytes."""
        size = 3 if kind[1:] == "u3" else _SIZES.get(kind[-1], 0) if kind[0] != "V" else 0
        self.values.append((key, self._pass(size or int(kind[1:])), kind))

    def skip(self, size: int) -> None:
        """Pass bytes that say nothing."""
        self._pass(size)

    def end(self) -> None:
        """Raise DecodeError if bytes are left over."""
        if self.left:
            detail = f"expected {self.position} bytes, got {len(self._data)}"
            raise DecodeError(Reject.TRAILING_BYTES, at=self.position, detail=detail)

    def _pass(self, size: int) -> int:
        start = self.position
        if start + size > len(self._data):
            detail = f"expected at least {start + size} bytes, got {len(self._data)}"
            raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
        self.position = start + size
        return start


class Splits:
    """Where the records of payloads lie, worked out once for payloads of one length and steering.

    split: walks a whole payload and gives what is to be known of its records, never a value.
    """

    def __init__(self, split: Callable[[Walk], list[Any]]) -> None:
        self._split = split
        self._known: dict[int, _Seen] = {}

    def of(self, data: bytes) -> list[Any]:
        """What `split` says of this payload. Raises its DecodeErrors."""
        known = self._known.get(len(data))
        if known and (spans := known.spans.get(known.look(data))) is not None:
            return spans
        walk = Walk(data)
        spans = self._split(walk)
        if walk.steering:
            if known is None or known.steering != walk.steering or len(known.spans) > _MAX_SPLITS:
                known = self._known[len(data)] = _Seen(walk.steering)
            known.spans[known.look(data)] = spans
        return spans


class _Seen:
    """Payloads of one length that are steered by the same places, by what stood there."""

    def __init__(self, steering: list[int]) -> None:
        self.steering = steering
        self.look: Callable[[bytes], Any] = itemgetter(*steering)
        self.spans: dict[Any, list[Any]] = {}


_MAX_SPLITS: Final = 256

Values = Mapping[Any, NDArray[Any]]
"""Values by the keys that the walk gave them, shape (n,) each; "V" values are arrays of bytes.
"received" is when each record arrived (int64 microseconds)."""


@dataclass(slots=True)
class Meaning:
    """What n records of one layout say.

    columns: by FixBatch's names, arrays of shape (n,) or one value; "time", "lon" and "lat" at
        least, NaN for unknown. extra: by key the same, or lists; NaN, infinity and None are left
        out; a mapping inside is an object of its own. refused: which rows are none, and why.
    """

    columns: Mapping[str, Any]
    extra: Mapping[Any, Any] = field(default_factory=dict)
    driver: Sequence[str] = ()
    refused: Sequence[tuple[Bool, Reject, str]] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: how its structure is walked, and what its values mean."""

    walk: Callable[[Walk], None]
    meaning: Callable[[Values], Meaning]


def read(records: Records, kinds: Mapping[str, Kind], received: I64) -> Decoded:
    """Everything that the records say, in their order."""
    made = _Rows(records, received)
    groups: dict[tuple[str, int], list[int]] = {}
    for row, (kind, data) in enumerate(zip(records.kind, records.data, strict=True)):
        groups.setdefault((kind, len(data)), []).append(row)
    with np.errstate(invalid="ignore", over="ignore"):  # floats that are no numbers are refused
        for (name, _), members in groups.items():
            _read_group(records, kinds[name], members, made)
    return made.decoded()


def _read_group(records: Records, kind: Kind, members: list[int], made: "_Rows") -> None:
    """Read records of one kind and length, layout by layout."""
    data = [records.data[row] for row in members]
    rows = np.array(members)
    raw = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)
    for _ in range(_MAX_LAYOUTS):
        walk = Walk(raw[0].tobytes())
        error = None
        try:
            kind.walk(walk)
        except DecodeError as found:
            error = found
        differing = raw[:, walk.steering] ^ raw[0, walk.steering]
        alike = (differing & np.array(walk.masks, np.uint8) == 0).all(axis=1)
        whole = bool(alike.all())
        same = rows if whole else rows[alike]
        if error is None:
            values = _values(raw if whole else raw[alike], walk)
            values["received"] = made.received_of(same)
            made.take(same, kind.meaning(values))
        else:
            made.refuse(same, np.ones(len(same), np.bool_), error)
        if whole:
            return
        rows, raw = rows[~alike], raw[~alike]
    for row in rows.tolist():
        if made.may_be_alone(row):
            _read_group(records, kind, [row], made)


def _values(raw: NDArray[np.uint8], walk: Walk) -> dict[Any, NDArray[Any]]:
    n, length = raw.shape
    buffer = raw.tobytes()

    def column(at: int, kind: str) -> NDArray[Any]:
        return np.ndarray((n,), kind, buffer, at, (length,))

    values = {key: np.full(n, value) for key, value in walk.constants.items()}
    for key, at, kind in walk.values:
        if kind[1:] == "u3":
            low, high = (at, at + 2) if kind[0] == "<" else (at + 2, at)
            parts = (column(place, "u1").astype(np.int64) for place in (low, at + 1, high))
            values[key] = next(parts) + (next(parts) << 8) + (next(parts) << 16)
        else:
            values[key] = column(at, kind)
    return values


class _Rows:
    """Columns of all records while their groups are read."""

    def __init__(self, records: Records, received: I64) -> None:
        n = len(records.data)
        self._records = records
        self._received = received
        self._payload = np.array(records.payload, np.intp)
        self._refusals = list(records.refusals)
        self._columns: dict[str, NDArray[Any]] = {
            name: np.full(n, np.nan) for name in ("time", "lon", "lat")
        }
        self._good = np.ones(n, np.bool_)
        self._driver: list[str] = []
        self._alone: Counter[int] = Counter()
        self._extra: dict[int, bytes] = {}

    def received_of(self, rows: NDArray[np.intp]) -> I64:
        """When the payloads of these records arrived."""
        return self._received[self._payload[rows]]

    def take(self, rows: NDArray[np.intp], said: Meaning) -> None:
        for name, values in said.columns.items():
            if name not in self._columns:
                none = 0 if name in {"inputs", "quality"} else np.nan
                self._columns[name] = np.full(len(self._good), none, _DTYPES.get(name, np.float64))
            self._columns[name][rows] = values
        listed = rows.tolist()
        if said.driver:
            self._driver = self._driver or [""] * len(self._good)
            for row, name in zip(listed, said.driver, strict=True):
                self._driver[row] = name
        if said.extra:
            self._keep(listed, objects(said.extra, len(rows)))
        for mask, reason, detail in said.refused:
            self.refuse(rows, mask, DecodeError(reason, detail=detail))

    def _keep(self, rows: list[int], extras: Iterable[dict[Any, Any]]) -> None:
        encode = _ENCODER.encode
        for row, values in zip(rows, extras, strict=True):
            if values:
                made = encode(values)
                if len(made) > MAX_EXTRA_BYTES:
                    detail = f"extra: expected at most {MAX_EXTRA_BYTES} bytes, got {len(made)}"
                    error = DecodeError(Reject.BAD_VALUE, detail=detail)
                    self.refuse(np.array([row]), np.ones(1, np.bool_), error)
                self._extra[row] = made

    def may_be_alone(self, row: int) -> bool:
        """Whether a record may be read by itself; it is refused if too many of its payload were."""
        payload = self._records.payload[row]
        self._alone[payload] += 1
        if self._alone[payload] <= _MAX_ALONE:
            return True
        detail = f"over {_MAX_ALONE} records of layouts of their own: the rest is not read"
        error = DecodeError(Reject.BAD_VALUE, detail=detail)
        self.refuse(np.array([row]), np.ones(1, np.bool_), error)
        return False

    def refuse(self, rows: NDArray[np.intp], mask: Bool, error: DecodeError) -> None:
        """Refuse those of the rows that are not refused yet."""
        for row in rows[mask & self._good[rows]].tolist():
            at = self._records.at[row] + error.at
            found = DecodeError(error.reason, at=at, detail=error.detail)
            self._refusals.append(Refusal.of(self._records.payload[row], found))
            self._good[row] = False

    def decoded(self) -> Decoded:
        good = self._good
        idents, drivers = Names(), Names()
        if good.all():
            columns: dict[str, Any] = dict(self._columns)
            rows = list(range(len(good)))
            extra = self._extra
        else:
            columns = {name: values[good] for name, values in self._columns.items()}
            rows = np.flatnonzero(good).tolist()
            extra = {new: self._extra[old] for new, old in enumerate(rows) if old in self._extra}
        if self._driver:
            columns["driver"] = drivers.numbers(self._driver[row] for row in rows)
        ident = idents.numbers(self._records.ident[row] for row in rows)
        return assemble(
            columns, payload=[self._records.payload[row] for row in rows],
            at=[self._records.at[row] for row in rows], received=self._received, extra=extra,
            refusals=self._refusals, ident=ident, idents=idents.known(), drivers=drivers.known(),
        )  # fmt: skip


_DTYPES: Final = {name: COLUMNS[name][0] for name in ("inputs", "quality")}


def known(values: Any, none: int) -> Any:
    """Values as floats, NaN where they are the format's "none"."""
    return np.where(values == none, np.nan, values)


def inputs_of(states: Mapping[Input, Any]) -> Any:
    """The words of inputs that are known in all rows, from whether each is on."""
    word: Any = np.uint32(0)
    for bit, on in states.items():
        word = word | np.where(on, np.uint32(inputs_word({bit: True})), inputs_word({bit: False}))
    return word


def objects(named: Mapping[Any, Any], n: int) -> Iterator[dict[Any, Any]]:
    """One object per row, made when asked for, without what is None, NaN, infinite or empty.

    named: by key arrays or lists of n values, a mapping of the same, or one value for all rows.
    """
    names: list[Any] = []
    columns: list[Sequence[Any]] = []
    holes = False
    for name, value in named.items():
        if isinstance(value, Mapping):
            listed: Sequence[Any] = list(objects(value, n))
            absent = listed.count({})
        elif isinstance(value, np.ndarray):
            listed, absent = value.tolist(), 0
            if value.dtype.kind == "f" and not (finite := np.isfinite(value)).all():
                listed = [v if f else None for v, f in zip(listed, finite.tolist(), strict=True)]
                absent = n - int(finite.sum())
        else:
            listed = value if isinstance(value, list) else [value] * n
            absent = listed.count(None)
        if absent < n:
            names.append(name)
            columns.append(listed)
            holes |= absent > 0
    rows = zip(*columns, strict=True) if columns else repeat((), n)
    for row in rows:
        made = dict(zip(names, row, strict=True))
        if holes:
            made = {k: v for k, v in made.items() if v is not None and v != {}}
        yield made
