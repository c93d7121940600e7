"""People, the sessions they hold and the API keys they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from moorage.organizations import MemberKind, Permission, Role

# How long things hold. A console session ends after being idle or at its absolute end.
CONSOLE_IDLE = timedelta(hours=12)
CONSOLE_ABSOLUTE = timedelta(days=7)
REFRESH_IDLE = timedelta(days=14)
REFRESH_ABSOLUTE = timedelta(days=30)
ACCESS_TOKEN = timedelta(minutes=15)
# A key signs access tokens when every process has had time to read it, for so long, and what it
# signed is checked until that has surely ended.
SIGNING_KEY_KNOWN = timedelta(minutes=1)
SIGNING_KEY_SIGNS = timedelta(days=30)
SIGNING_KEY_LAST = timedelta(hours=2)
SIGN_IN_LINK = timedelta(minutes=15)
INVITATION = timedelta(days=7)
CHALLENGE = timedelta(minutes=5)
BACKUP_CODES = 10
MOST_PASSKEYS = 20
# A code holds for this long (RFC 6238, section 4), and one step before and after for slow clocks.
TOTP_STEP_S = 30
RESET_LINK = timedelta(hours=1)
# Last use is written down this often at most.
LAST_USE = timedelta(minutes=1)

# Wrong passwords in a row that cost nothing; each further one doubles the wait.
FREE_FAILURES = {"account": 5, "address": 20, "resetAccount": 3, "resetAddress": 20}
# The first wait and the longest; who asks for mail must not fill somebody's mailbox.
WAITS = {
    "account": (timedelta(seconds=10), timedelta(minutes=15)),
    "address": (timedelta(seconds=10), timedelta(minutes=15)),
    "resetAccount": (timedelta(minutes=1), timedelta(hours=6)),
    "resetAddress": (timedelta(seconds=10), timedelta(minutes=15)),
}
FAILURES_FORGOTTEN = timedelta(hours=24)

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
API_KEY_PREFIX = "mk_"


class SessionKind(StrEnum):
    """How a session proves itself."""

    CONSOLE = "console"
    TOKEN = "token"  # noqa: S105


class LinkKind(StrEnum):
    """What a one-time link is for."""

    SIGN_IN = "signIn"
    INVITATION = "invitation"
    RESET = "reset"


class WishKind(StrEnum):
    """Which mail somebody at the sign-in brought about."""

    RESET = "reset"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class User:
    """A person.

    `email` is None for the first user of an installation until somebody gives one.
    """

    id: UUID
    email: str | None
    name: str
    language: str | None
    active: bool
    has_password: bool
    expires_at: datetime | None
    signed_in_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    @property
    def label(self) -> str:
        """What the audit shows."""
        return self.email or self.name

    def may_sign_in(self, now: datetime) -> bool:
        """Tell whether the account is open."""
        return self.active and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewUser:
    """Whom to let in, and into which permission groups; without a language, as the browser."""

    email: str
    name: str
    language: str | None = None
    expires_at: datetime | None = None
    permission_group_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an organisation has asked somebody, as it sees it: nothing of an account there may be.

    Attributes:
        organization_id: None is the installation.
        email, name, language, account_expires_at: as the inviter gave them; all but the address
            are for a new account only.
        expires_at: of the invitation.
    """

    id: UUID
    organization_id: UUID | None
    email: str
    name: str
    language: str | None
    account_expires_at: datetime | None
    permission_group_ids: tuple[UUID, ...]
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class ReceivedInvitation:
    """An invitation, as the one who is invited sees it."""

    id: UUID
    organization_id: UUID | None
    organization_name: str | None
    permission_groups: tuple[str, ...]
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """One place where somebody is signed in."""

    id: UUID
    user_id: UUID
    kind: SessionKind
    by_link: bool
    proven: bool
    origin: str | None
    agent: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session; `secret` is the cookie or the refresh token, shown once."""

    user: User
    session: Session
    secret: str


@dataclass(frozen=True, slots=True)
class Known:
    """What a user store says of somebody who signs in.

    Attributes:
        decided: whether it is for the store to say; the password kept here counts no more.
        user_id: who it is; None if it is decided and refused.
    """

    decided: bool
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A group that people are in outside, and the permission groups they are put into for it."""

    group: str
    permission_group_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs access tokens: its private half sealed, its public one as JWK (RFC 7517)."""

    id: UUID
    sealed: bytes
    public: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an API client holds; the refresh token works once."""

    access_token: str
    refresh_token: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link's token, shown once."""

    token: str
    kind: LinkKind
    expires_at: datetime


class ChallengeKind(StrEnum):
    """What a passkey signs a challenge for."""

    REGISTRATION = "registration"
    SIGN_IN = "signIn"
    SECOND_FACTOR = "secondFactor"


class Factor(StrEnum):
    """By what a second factor was shown."""

    TOTP = "totp"
    BACKUP_CODE = "backupCode"
    PASSKEY = "passkey"
    # Shown to an identity provider, which says so.
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key of a person's device or browser, as they see it."""

    id: UUID
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class PasskeyOnFile:
    """What checks a signature of a passkey.

    Attributes:
        public_key: COSE_Key (RFC 9052, section 7).
        sign_count: how often its device said that it had signed; 0 where it does not count.
    """

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """What a person can show beside the password."""

    totp: bool
    backup_codes_left: int
    passkeys: tuple[Passkey, ...]

    @property
    def any(self) -> bool:
        """Whether one is asked for at the sign-in."""
        return self.totp or bool(self.passkeys)


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows as second factor: a code, or a passkey's answer as JSON."""

    code: str | None = None
    passkey: Mapping[str, Any] | None = None

    @property
    def given(self) -> bool:
        """Whether there is anything to look at."""
        return self.code is not None or self.passkey is not None


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """What an authenticator app is told once: the secret in base32, and the same as a URI."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A mail to an address that may be nobody's, asked for from `origin`."""

    kind: WishKind
    email: str
    origin: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt as counted: how many failed by now, or when the wait ends that forbids it."""

    failures: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for programs; its secret is stored as a digest only.

    `scopes` None means everything its permission groups hold. `organization_id` None is a key of
    the whole installation. `basic` tells whether it is taken as HTTP Basic (RFC 7617) too.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    scopes: tuple[Permission, ...] | None
    permission_group_ids: tuple[UUID, ...]
    expires_at: datetime | None
    basic: bool
    used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """What makes an API key."""

    organization_id: UUID | None
    name: str
    permission_group_ids: tuple[UUID, ...]
    scopes: tuple[Permission, ...] | None = None
    expires_at: datetime | None = None
    basic: bool = False


@dataclass(frozen=True, slots=True)
class Through:
    """A permission group that another one is in, and until when."""

    group_id: UUID
    group_name: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Path:
    """One way by which somebody holds something: a permission group they are in.

    Attributes:
        organization_id: of the group; None is the installation.
        roles: of the group.
        permissions: what being in it gives there, narrowed by the scopes of an API key.
        only_here: those of them that no other path gives: what would be lost without the group.
        by_owning: those of them that it gives only because the device is theirs.
        until: when they leave it by themselves.
        through: the groups that this one is in itself, and that give something there by it.
    """

    group_id: UUID
    group_name: str
    organization_id: UUID | None
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    only_here: tuple[Permission, ...]
    by_owning: tuple[Permission, ...]
    until: datetime | None
    through: tuple[Through, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """What a person or a program may do with a thing, by which paths and until when.

    `until` None is without an end.
    """

    kind: MemberKind
    id: UUID
    label: str
    until: datetime | None
    permissions: tuple[Permission, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where somebody asks: address and user agent."""

    address: str | None = None
    agent: str | None = None
