"""How a setting is declared: one row each, in tables of the TOML file."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def setting(default: Any, about: str, *, unit: str = "", **limits: Any) -> Any:
    """One row: what it is when nobody says otherwise, in which unit, and what it is for."""
    return Field(default, description=about, json_schema_extra={"unit": unit}, **limits)


def divided(value: object) -> object:
    """A list in an environment variable is written with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def known_timezone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a name of the tz database, such as Asia/Ho_Chi_Minh") from error
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(divided), Field(min_length=1)]
Providers = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")], ...], BeforeValidator(divided)
]
Kinds = Annotated[
    tuple[Annotated[str, Field(pattern=r"^([a-z_]+\*?|\*)$")], ...], BeforeValidator(divided)
]
Port = Annotated[int, Field(ge=1, le=65_535)]
Timezone = Annotated[str, BeforeValidator(known_timezone)]


class Section(BaseModel):
    """A table of the TOML file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )
