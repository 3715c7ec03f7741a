"""People, sessions, keys, the audit: who may see what."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.models.base import TEXT, Instant, Model, NextCursor
from storage.access.people import USERNAME
from storage.access.roles import ABILITIES, ROLES, Ability, Role

ONE_PAGE = Annotated[None, Field(description="Always null: there is one page.")]
RoleField = Annotated[Role, Field(description=f"One of {', '.join(ROLES)} (docs/access.md).")]
Abilities = Annotated[
    list[Ability], Field(description=f"What may be done: of {', '.join(ABILITIES)}.")
]
Operator = Annotated[str | None, Field(description="Code of the operator whose data it is about.")]
Province = Annotated[str | None, Field(description="Province whose operators' data it is about.")]
Provider = Annotated[str | None, Field(description="Code of the provider of devices.")]
SENTENCE = "a long sentence of mine"
Secret = Annotated[str, Field(min_length=1, max_length=200)]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class Credentials(Model):
    """What a person comes in with."""

    model_config = _example(username="an", password=SENTENCE, code=None)

    username: Annotated[
        str,
        Field(max_length=200, pattern=TEXT, description="Name; capitals make no difference."),
    ]
    password: Annotated[Secret, Field(description="Password.")]
    code: Annotated[
        str | None,
        Field(max_length=10, description="Code of the second factor, where there is one."),
    ] = None


class PasswordChange(Model):
    """Another password."""

    model_config = _example(old="a long sentence of mine", new="another sentence of mine")

    old: Annotated[Secret, Field(description="The present password.")]
    new: Annotated[Secret, Field(description="The next one: 12 letters at least.")]


class FactorCode(Model):
    """A code of the second factor."""

    model_config = _example(code="492039")

    code: Annotated[str, Field(max_length=10, description="Six digits of the moment.")]


class PasswordProof(Model):
    """The password, as proof of who asks."""

    model_config = _example(password=SENTENCE)

    password: Annotated[Secret, Field(description="The present password.")]


class NewFactor(Model):
    """A second factor, to be proven by a code of it."""

    model_config = _example(
        uri="otpauth://totp/hanhtrinh:an?secret=JBSWY3DPEHPK3PXP&issuer=hanhtrinh"
    )

    uri: Annotated[str, Field(description="For an authenticator app, as text or QR code; once.")]


class Done(Model):
    """It is done."""

    model_config = _example(done=True)

    done: Annotated[Literal[True], Field(description="Always true, or there is a problem.")]


class Me(Model):
    """Who asks, and what it may do."""

    model_config = _example(
        kind="session", name="an", role="inspector", abilities=["read", "write"],
        must_change_password=False,
    )  # fmt: skip

    kind: Annotated[Literal["session"], Field(description="Always session.")]
    name: Annotated[str, Field(description="Username.")]
    role: RoleField
    abilities: Abilities
    must_change_password: Annotated[
        bool, Field(description="Nothing else may be done before PUT /session/password.")
    ]


class Person(Model):
    """Somebody who may come in."""

    username: Annotated[str, Field(description="Name to come in with.")]
    name: Annotated[str, Field(description="Name for people.")]
    role: RoleField
    operator: Operator
    province: Province
    provider: Provider
    created_at: Annotated[Instant, Field(description="When the person was made, UTC.")]
    disabled_at: Annotated[Instant | None, Field(description="Since when it is not let in, UTC.")]
    password_set_at: Annotated[Instant, Field(description="When the password was changed, UTC.")]
    must_change_password: Annotated[bool, Field(description="The password is a first one.")]
    has_second_factor: Annotated[bool, Field(description="A code is asked for.")]
    has_identity_provider: Annotated[bool, Field(description="Comes in by the identity provider.")]


PERSON = {
    "username": "an", "name": "An", "role": "inspector", "operator": None, "province": "Ha Noi",
    "provider": None, "created_at": "2026-05-04T08:00:00.000Z", "disabled_at": None,
    "password_set_at": "2026-05-04T08:00:00.000Z", "must_change_password": True,
    "has_second_factor": False, "has_identity_provider": False,
}  # fmt: skip


class People(Model):
    """Everybody who may come in or could once."""

    model_config = _example(items=[PERSON], next_cursor=None)

    items: Annotated[list[Person], Field(description="By username.")]
    next_cursor: ONE_PAGE


class NewPerson(Model):
    """Somebody to let in."""

    model_config = _example(username="an", name="An", role="inspector", province="Ha Noi")

    username: Annotated[str, Field(pattern=USERNAME, description="Name to come in with.")]
    name: Annotated[str, Field(pattern=TEXT, max_length=200, description="Name for people.")] = ""
    role: RoleField
    operator: Annotated[Operator, Field(pattern=TEXT, max_length=100)] = None
    province: Annotated[Province, Field(pattern=TEXT, max_length=100)] = None
    provider: Annotated[Provider, Field(pattern=TEXT, max_length=100)] = None
    identity_provider: Annotated[
        bool, Field(description="Comes in by the identity provider, and gets no password.")
    ] = False


class MadePerson(Person):
    """Somebody new, with the first password."""

    model_config = _example(**PERSON, first_password=SENTENCE)

    first_password: Annotated[
        str | None, Field(description="Shown once, and changed at the first login.")
    ]


class Key(Model):
    """A key of a program. The key itself is known to its holder alone."""

    id: Annotated[int, Field(description="Number of the key (an identity, no unit).")]
    name: Annotated[str, Field(description="What it is for.")]
    role: RoleField
    operator: Operator
    province: Province
    provider: Provider
    person: Annotated[str | None, Field(description="Whose it is; null: a program's own.")]
    scopes: Abilities
    created_at: Annotated[Instant, Field(description="When it was made, UTC.")]
    expires_at: Annotated[Instant, Field(description="When it ends, UTC.")]
    revoked_at: Annotated[Instant | None, Field(description="When it was ended before that, UTC.")]


KEY = {
    "id": 7, "name": "depot screen", "role": "operator", "operator": "north", "province": None,
    "provider": None, "person": "an", "scopes": ["read"],
    "created_at": "2026-05-04T08:00:00.000Z", "expires_at": "2027-05-04T08:00:00.000Z",
    "revoked_at": None,
}  # fmt: skip


class Keys(Model):
    """Keys: one's own, or all of them."""

    model_config = _example(items=[KEY], next_cursor=None)

    items: Annotated[list[Key], Field(description="The newest first.")]
    next_cursor: ONE_PAGE


class NewKey(Model):
    """A key to make for oneself."""

    model_config = _example(name="depot screen", scopes=["read"], days=90)

    name: Annotated[
        str, Field(pattern=TEXT, min_length=1, max_length=100, description="What it is for.")
    ]
    scopes: Annotated[
        list[Ability] | None,
        Field(min_length=1, max_length=20, description="What it may do; null: all that you may."),
    ] = None
    days: Annotated[int, Field(ge=1, le=366, description="When it ends: after days (count).")] = 365


class MadeKey(Model):
    """A new key, shown this once."""

    model_config = _example(id=7, key="ht_HzlKh74u76v2l7l6JuWmXBI6dM-O1SWRrozZhN-s7Tg")

    id: Annotated[int, Field(description="Number of the key (an identity, no unit).")]
    key: Annotated[str, Field(description="Keep it: the database holds only its digest.")]


class AuditRow(Model):
    """What somebody did."""

    seq: Annotated[int, Field(description="Place in the chain (a count from 1).")]
    at: Annotated[Instant, Field(description="When, UTC.")]
    actor: Annotated[str, Field(description="Who: a person, a key, a command, or nobody.")]
    address: Annotated[str, Field(description="From where: an address, or a host.")]
    action: Annotated[str, Field(description="What was done.")]
    subject: Annotated[str, Field(description="To what.")]
    detail: Annotated[dict[str, Any], Field(description="What else is worth knowing.")]


class AuditPage(Model):
    """A page of the audit."""

    model_config = _example(
        items=[
            {
                "seq": 42, "at": "2026-05-04T08:00:00.000Z", "actor": "person an",
                "address": "10.1.2.3", "action": "put_zone", "subject": "/zones/depot-7",
                "detail": {},
            }
        ],
        next_cursor=None,
    )  # fmt: skip

    items: Annotated[list[AuditRow], Field(description="The newest first.")]
    next_cursor: NextCursor
