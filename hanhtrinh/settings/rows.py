"""The settings as rows, read off the model: for the environment, the documents and people."""

from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from hanhtrinh.settings.model import Settings

PREFIX: Final = "HANHTRINH_"
_WORDS: Final = {
    str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path",
    SecretStr: "text", tuple: "list", dict: "table",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `path` is ("broker", "port"); `name` is broker.port, as in the TOML file."""

    path: tuple[str, ...]
    kind: str
    default: Any
    unit: str
    about: str
    is_secret: bool

    @property
    def name(self) -> str:
        """Dotted name."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Name of its environment variable."""
        return PREFIX + "__".join(self.path).upper()

    def value_in(self, settings: Settings) -> Any:
        """Its value in these settings."""
        value: Any = settings
        for part in self.path:
            value = getattr(value, part)
        return value


def rows() -> list[Row]:
    """All settings, in the order of the model."""
    return list(_rows(Settings, ()))


def _rows(model: type[BaseModel], above: tuple[str, ...]) -> list[Row]:
    found: list[Row] = []
    for name, info in model.model_fields.items():
        path = (*above, name)
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _rows(kind, path)
        else:
            found.append(_row(path, info))
    return found


def _row(path: tuple[str, ...], info: FieldInfo) -> Row:
    extra = info.json_schema_extra
    unit = str(extra["unit"]) if isinstance(extra, dict) else ""
    kinds = [part for part in _parts(info.annotation) if part is not NoneType]
    return Row(
        path=path,
        kind=" or ".join(dict.fromkeys(_word(kind) for kind in kinds)),
        default=info.default,
        unit=unit,
        about=info.description or "",
        is_secret=SecretStr in kinds,
    )


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The kinds of value that an annotation allows: X | None allows X and None."""
    if hasattr(annotation, "__metadata__"):
        return _parts(annotation.__origin__)
    origin = get_origin(annotation)
    if origin is Literal:
        return get_args(annotation)
    if origin in {tuple, dict}:
        return (origin,)
    parts = get_args(annotation)
    return tuple(inner for part in parts for inner in _parts(part)) if parts else (annotation,)


def _word(kind: Any) -> str:
    return f"`{kind}`" if isinstance(kind, str) else _WORDS[kind]
