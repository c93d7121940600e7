"""User stores: directories that people come from, and what is read of a person there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from moorage.users import Mapped

MASKED = "***"
# Stands for what somebody typed to sign in, in the filter that finds people.
NAME = "{name}"
# A domain that stands for all; only a store of the installation may have it.
EVERY_DOMAIN = "*"


class StoreKind(StrEnum):
    """The family of directories, which says what their attributes are called."""

    OPENLDAP = "openLdap"
    ACTIVE_DIRECTORY = "activeDirectory"


class StoreMode(StrEnum):
    """Whether people are changed here, too."""

    READ_ONLY = "readOnly"
    READ_WRITE = "readWrite"


class NewAccounts(StrEnum):
    """For whom of a directory an account is made when they first sign in."""

    NOBODY = "nobody"
    MAPPED = "mapped"
    EVERYBODY = "everybody"


class Nesting(StrEnum):
    """How groups within groups are found."""

    DIRECT = "direct"
    WALK = "walk"
    CHAIN = "chain"


class State(StrEnum):
    """How a store fares."""

    UNTRIED = "untried"
    REACHED = "reached"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a directory; TLS always, from the start (`ldaps`) or by StartTLS (`ldap`)."""

    host: str
    port: int
    tls_first: bool

    @classmethod
    def of(cls, url: str) -> Server:
        """Read `ldaps://host:port` or `ldap://host:port`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
            raise ValueError("must be ldaps:// or ldap:// with a host, such as ldaps://dc1.lan")
        if parts.username or parts.password or parts.query or parts.path.strip("/"):
            raise ValueError("must hold nothing but host and port")
        tls_first = parts.scheme == "ldaps"
        return cls(parts.hostname, parts.port or (636 if tls_first else 389), tls_first)

    def __str__(self) -> str:
        """Give host and port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What attributes are called: an immutable id, what people sign in with, name and address."""

    id: str
    login: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class NewUserStore:
    r"""What makes a user store.

    Attributes:
        organization_id: None is the whole installation.
        prefix: lets people say which store they mean, `prefix\name`; one in the installation.
        servers: URLs, asked in this order.
        authority: PEM of the authorities to trust instead of the system's.
        bind_name: whom to sign in as for searching; empty searches without signing in.
        base: where people are, a distinguished name; all below it count.
        new_base: where people made here are put; empty is `base`.
        user_filter: finds a person by `{name}`; empty is the usual one of the kind.
        group_base: where groups are; empty is `base`.
        domains: whose e-mail addresses the store is believed; only these people may sign in with
            an address.
        rank: the lesser is asked first.
        link_by_email: an account without password here and with the address of somebody in the
            directory becomes theirs.
        timeout_s: how long one server may take.
        sync_every: how often people who have an account are read anew.
    """

    organization_id: UUID | None
    name: str
    prefix: str
    kind: StoreKind
    servers: tuple[str, ...]
    base: str
    mode: StoreMode = StoreMode.READ_ONLY
    authority: str | None = None
    bind_name: str = ""
    new_base: str = ""
    user_filter: str = ""
    group_base: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    nesting: Nesting | None = None
    domains: tuple[str, ...] = ()
    rank: int = 100
    enabled: bool = True
    new_accounts: NewAccounts = NewAccounts.MAPPED
    link_by_email: bool = False
    timeout_s: int = 5
    sync_every: timedelta = timedelta(minutes=15)
    mappings: tuple[Mapped, ...] = ()
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Health:
    """How a store fares; `error` says in words what last went wrong, `server` who answered."""

    state: State = State.UNTRIED
    since: datetime | None = None
    server: str = ""
    error: str = ""
    synced_at: datetime | None = None
    sync_error: str = ""
    people: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class UserStore:
    """A user store as it is kept; its password is sealed elsewhere."""

    id: UUID
    organization_id: UUID | None
    name: str
    prefix: str
    kind: StoreKind
    mode: StoreMode
    servers: tuple[str, ...]
    authority: str | None
    bind_name: str
    base: str
    new_base: str
    user_filter: str
    group_base: str
    attributes: Mapping[str, str]
    nesting: Nesting | None
    domains: tuple[str, ...]
    rank: int
    enabled: bool
    new_accounts: NewAccounts
    link_by_email: bool
    timeout_s: int
    sync_every: timedelta
    mappings: tuple[Mapped, ...]
    has_password: bool
    health: Health
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """A person as the directory has them.

    Attributes:
        id: never changes there, not even when the person is renamed or moved.
        dn: distinguished name, which may change.
        enabled: False where the directory has closed the account.
        expires_at: when the directory closes it by itself.
    """

    id: str
    dn: str
    login: str
    name: str
    email: str | None
    enabled: bool
    expires_at: datetime | None

    def may_sign_in(self, now: datetime) -> bool:
        """Tell whether the directory lets the person in."""
        return self.enabled and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Whom to make in a directory; without a password nobody can sign in yet."""

    login: str
    name: str
    email: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account here and the entry it belongs to.

    Attributes:
        entry_id: the directory's immutable id.
        closed: the directory closed it, so that the directory may open it again.
        given: the permission groups that mappings put it into, and no hand.
    """

    user_id: UUID
    store_id: UUID
    entry_id: str
    login: str
    closed: bool
    given: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of trying a store out, and what was seen."""

    name: str
    passed: bool
    detail: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a store out showed."""

    passed: bool
    steps: tuple[Step, ...]
    person: Entry | None = None
    groups: tuple[str, ...] = ()
