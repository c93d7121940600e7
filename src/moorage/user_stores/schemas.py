"""Bodies of the user stores' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped, Storable
from moorage.users import LONGEST_PASSWORD, Mapped

from .model import (
    Nesting,
    NewAccounts,
    NewEntry,
    NewUserStore,
    State,
    StoreKind,
    StoreMode,
)

Text = Annotated[str, Storable]
Prefix = Annotated[
    Text,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$",
        description="Lets people say which store they mean: `prefix\\name`.",
        examples=["north"],
    ),
]
Server = Annotated[
    Text,
    Field(
        min_length=8,
        max_length=300,
        description="ldaps:// or ldap:// (then StartTLS) with host and, unless usual, port.",
        examples=["ldaps://dc1.example.org"],
    ),
]
Servers = Annotated[list[Server], Field(min_length=1, max_length=10)]
Dn = Annotated[Text, Field(max_length=1_000)]
Pem = Annotated[Text, Field(min_length=1, max_length=50_000)]
Secret = Annotated[Text, Field(min_length=1, max_length=1_000)]
Filter = Annotated[
    Text,
    Field(
        max_length=2_000,
        description="Finds a person by `{name}`; empty is the usual one of the kind.",
        examples=["(&(objectClass=inetOrgPerson)(uid={name}))"],
    ),
]
AttributeName = Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,99}$")]
Domain = Annotated[
    Text,
    Field(
        pattern=r"^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$",
        max_length=253,
        examples=["example.org"],
    ),
]
Domains = Annotated[
    list[Domain],
    Field(
        max_length=50,
        description="Whose e-mail addresses the store is believed; `*` all. By GlobalAdmins only.",
    ),
]
Rank = Annotated[int, Field(ge=0, le=1_000, description="The lesser is asked first.")]
Timeout = Annotated[int, Field(ge=1, le=30, description="How long one server may take.")]
Login = Annotated[Text, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", examples=["anna"])]
Email = Annotated[Text, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Password = Annotated[Text, Field(min_length=1, max_length=LONGEST_PASSWORD)]
EntryId = Annotated[Text, Field(min_length=1, max_length=200)]


class MappedBody(Body):
    """A group of the directory and the permission groups its people are put into."""

    group: Annotated[
        Text, Field(min_length=3, max_length=1_000, examples=["cn=ops,ou=groups,dc=example,dc=org"])
    ]
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=50)]

    def to_model(self) -> Mapped:
        """Make the noun."""
        return Mapped(self.group, tuple(dict.fromkeys(self.permission_group_ids)))


Mappings = Annotated[list[MappedBody], Field(max_length=500)]


class _StoreFields(Body):
    authority: Pem | None = None
    bind_name: Dn = ""
    new_base: Dn = ""
    user_filter: Filter = ""
    group_base: Dn = ""
    nesting: Annotated[Nesting, Strict(False)] | None = None
    domains: Domains = []
    rank: Rank = 100
    enabled: bool = True
    mode: Annotated[StoreMode, Strict(False)] = StoreMode.READ_ONLY
    new_accounts: Annotated[NewAccounts, Strict(False)] = NewAccounts.MAPPED
    link_by_email: bool = False
    timeout_s: Timeout = 5
    sync_every: Duration = timedelta(minutes=15)
    mappings: Mappings = []
    password: Secret | None = None


class UserStoreBody(_StoreFields):
    """A new user store; what is left empty is as usual in its kind of directory."""

    organization_id: Id | None
    name: Name
    prefix: Prefix
    kind: Annotated[StoreKind, Strict(False)]
    servers: Servers
    base: Annotated[Dn, Field(min_length=3)]
    attributes: dict[str, AttributeName] = {}

    def to_model(self) -> NewUserStore:
        """Make the noun."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return NewUserStore(**_nouns(values, self))


class UserStorePatch(_StoreFields):
    """Fields of a user store to change (JSON Merge Patch).

    Of `attributes` null gives the usual one. `servers`, `domains` and `mappings` are replaced as a
    whole.
    """

    name: Name = ""
    prefix: Prefix = ""
    kind: Annotated[StoreKind, Strict(False)] = StoreKind.OPENLDAP
    servers: Servers = []
    base: Annotated[Dn, Field(min_length=3)] = ""
    attributes: dict[str, AttributeName | None] = {}

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as the noun has them."""
        return _nouns(self.given(), self)


def _nouns(values: dict[str, Any], body: _StoreFields) -> dict[str, Any]:
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    if "mappings" in made:
        made["mappings"] = tuple(one.to_model() for one in body.mappings)
    return made


class _Whom(Body):
    try_name: Annotated[
        Text | None, Field(min_length=1, max_length=200, description="Whom to look for.")
    ] = None
    try_password: Annotated[
        Password | None, Field(description="Signs them in, if it is given; it is not kept.")
    ] = None


class TryNewBody(_Whom):
    """What would make a store, and whom to look for."""

    store: UserStoreBody


class TryBody(_Whom):
    """Changes that a store is tried with, and whom to look for."""

    changes: UserStorePatch = UserStorePatch()


class MappedOut(Out):
    """A group of the directory and the permission groups its people are put into."""

    group: str
    permission_group_ids: list[UUID]


class HealthOut(Out):
    """How a store fares, and how keeping its people in step went."""

    state: State
    since: Instant | None
    server: str
    error: str
    synced_at: Instant | None
    sync_error: str
    people: int
    changed: int


class UserStoreOut(Stamped):
    """A user store; its password is never shown."""

    id: UUID
    organization_id: UUID | None
    name: str
    prefix: str
    kind: StoreKind
    mode: StoreMode
    servers: list[str]
    authority: str | None
    bind_name: str
    base: str
    new_base: str
    user_filter: str
    group_base: str
    attributes: dict[str, str]
    nesting: Nesting | None
    domains: list[str]
    rank: int
    enabled: bool
    new_accounts: NewAccounts
    link_by_email: bool
    timeout_s: int
    sync_every: Duration
    mappings: list[MappedOut]
    has_password: bool
    health: HealthOut


class EntryOut(Out):
    """A person as the directory has them."""

    id: str
    dn: str
    login: str
    name: str
    email: str | None
    enabled: bool
    expires_at: Instant | None


class EntriesOut(Out):
    """People of a directory, a hundred at most."""

    items: list[EntryOut]


class FindBody(Body):
    """Whom to find in the directory."""

    q: Annotated[Text, Field(max_length=100, description="Part of login, name or address.")] = ""


class EntryBody(Body):
    """Whom to make in the directory; without a password nobody can sign in yet."""

    login: Login
    name: Name
    email: Email | None = None
    password: Password | None = None

    def to_model(self) -> NewEntry:
        """Make the noun."""
        return NewEntry(self.login, self.name, self.email, self.password)


class EntryPatch(Body):
    """Fields of a person in the directory to change (JSON Merge Patch)."""

    name: Name = ""
    email: Email | None = None
    enabled: bool = True
    password: Password = ""


class StepOut(Out):
    """One step of trying a store out."""

    name: str
    passed: bool
    detail: str
    took_ms: float


class StoreTrialOut(Out):
    """What trying a store out showed; `groups` are those of the person, nested ones too."""

    passed: bool
    steps: list[StepOut]
    person: EntryOut | None
    groups: list[str]
