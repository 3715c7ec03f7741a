"""Reading the settings: defaults, then one TOML file, then the environment, then the command line.

Later ones win. A name that is no setting stops the start in either place: a typing mistake in
`HANHTRINH_INGEST__BATCH_MESAGES` must not pass for a default.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource, TomlConfigSettingsSource

from hanhtrinh.settings.errors import SettingsError
from hanhtrinh.settings.model import Settings
from hanhtrinh.settings.rows import PREFIX, Row, rows

CONFIG_VARIABLE: Final = PREFIX + "CONFIG"
CONFIG_FILE: Final = "hanhtrinh.toml"
NOT_SETTINGS: Final = frozenset(
    {
        CONFIG_VARIABLE,  # where the file is
        PREFIX + "DATA",  # real data for tests
        PREFIX + "TEST_DSN",  # a database server for tests
        PREFIX + "TEST_DEEP",  # more of the same for a test of the API
    }
)
DEFAULT: Final = "default"

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and, by dotted name, where each value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    config: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """The settings of this process. Raises SettingsError.

    config: the TOML file; None: the one $HANHTRINH_CONFIG names, else ./hanhtrinh.toml if there is
        one. overrides: by dotted name, what the command line says; None values say nothing.
    """
    environment = os.environ if environment is None else environment
    file = _config_file(config, environment)
    by_origin: list[tuple[str, Values]] = []
    if file is not None:
        by_origin.append((f"file {file}", _TomlFile(file)()))
    by_origin.append(("environment", _Environment(environment)()))
    said = {name: value for name, value in (overrides or {}).items() if value is not None}
    by_origin.append(("command line", _nested(said)))

    values: Values = {}
    origins = dict.fromkeys((row.name for row in rows()), DEFAULT)
    for origin, given in by_origin:
        _merge(values, given)
        for row in rows():
            if _has(given, row.path):
                is_variable = origin == "environment"
                origins[row.name] = f"{origin} {row.variable}" if is_variable else origin
    try:
        return Loaded(Settings(**values), origins)
    except ValidationError as error:
        raise SettingsError("\n".join(_explained(error, origins))) from None


class _Environment(PydanticBaseSettingsSource):
    """Variables named HANHTRINH_SECTION__NAME; unlike pydantic's own source it refuses others."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Asked for by the base class; all values are given at once."""
        return self().get(field_name), field_name, field.is_required()

    def __call__(self) -> Values:
        by_variable = {row.variable: row for row in rows()}
        unknown: list[str] = []
        values: Values = {}
        for variable, text in sorted(self._environment.items()):
            if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
                continue
            if variable in by_variable:
                row = by_variable[variable]
                _merge(values, _nested({row.name: _parsed(row, text)}))
            else:
                unknown.append(_unknown(variable, "environment variable", [*by_variable]))
        if unknown:
            raise SettingsError("\n".join(unknown))
        return values


class _TomlFile(TomlConfigSettingsSource):
    """The TOML file, whose keys must all be settings."""

    def __init__(self, file: Path) -> None:
        try:
            super().__init__(Settings, file)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{file}: expected a TOML file: {error}") from error
        self._file = file

    def __call__(self) -> Values:
        values = super().__call__()
        names = [row.name for row in rows()]
        unknown = [
            name for name in _names(values, {row.path for row in rows()}) if name not in names
        ]
        if unknown:
            raise SettingsError(
                "\n".join(_unknown(name, f"{self._file}: key", names) for name in unknown)
            )
        return values


def _config_file(config: Path | None, environment: Mapping[str, str]) -> Path | None:
    named = config or (
        Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None
    )
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"{named}: expected a TOML file, there is none")
        return named
    found = Path(CONFIG_FILE)
    return found if found.is_file() else None


def _parsed(row: Row, text: str) -> Any:
    if row.kind != "table":
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{row.variable}: expected a JSON object, {error}") from None


def _unknown(name: str, place: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{place} {name} is no setting{hint}"


def _names(
    values: Values, known: set[tuple[str, ...]], above: tuple[str, ...] = ()
) -> Iterator[str]:
    """Dotted names of all values, down to the settings."""
    for key, value in values.items():
        path = (*above, key)
        if isinstance(value, dict) and path not in known:
            yield from _names(value, known, path)
        else:
            yield ".".join(path)


def _nested(values: Mapping[str, Any]) -> Values:
    nested: Values = {}
    for name, value in values.items():
        *above, last = name.split(".")
        table = nested
        for part in above:
            table = table.setdefault(part, {})
        table[last] = value
    return nested


def _merge(into: Values, values: Values) -> None:
    """Lay values over others; tables are merged, but a setting that is a table is one value."""
    paths = {row.path for row in rows()}
    for section, value in values.items():
        if (section,) in paths or not isinstance(value, dict):
            into[section] = value
        else:
            into[section] = {**into.get(section, {}), **value}


def _has(values: Values, path: tuple[str, ...]) -> bool:
    found: Any = values
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _explained(error: ValidationError, origins: Mapping[str, str]) -> Iterator[str]:
    secrets = {row.name for row in rows() if row.is_secret}
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        while path and ".".join(path) not in origins:  # an element of a list or table, or a section
            path.pop()
        name = ".".join(path) or ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
        if problem["type"] == "too_short" and name in secrets:
            what = f"expected at least {problem['ctx']['min_length']} letters"
        is_said = name in secrets or not path or ", got " in what
        given = "" if is_said else f", got {problem['input']!r}"
        yield f"{name} ({origins.get(name, 'several')}): {what}{given}"
