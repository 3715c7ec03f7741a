"""Roles, and how far each may reach. What each may do stands in the database: `abilities_of`."""

from typing import Final, Literal, NamedTuple, get_args

Role = Literal["administrator", "inspector", "operator", "provider", "reader"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Ability = Literal[
    "read", "write", "register", "devices", "personal", "quarantine", "people", "audit", "erase"
]  # fmt: skip
ABILITIES: Final[tuple[Ability, ...]] = get_args(Ability)


class Reach(NamedTuple):
    """Whose data: an operator's, a province's operators', a provider's devices; none: the nation's.

    Which of them a role may have is checked by the database (`reach_fits`).
    """

    operator_id: int | None = None
    province: str | None = None
    provider_id: int | None = None


NATION: Final = Reach()
