"""Bodies of the routes of people and keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.caller import CallerKind
from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable
from moorage.organizations import MemberKind, Permission, Role

from .model import LONGEST_PASSWORD, LinkKind, NewApiKey, NewUser, SessionKind

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
# A store's prefix and a backslash say which user store means the name.
SignInName = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^([^@\s]+@[^@\s]+|[A-Za-z0-9._-]{1,50}\\[^\\\x00-\x1f]{1,200})$",
        description="An e-mail address, or a user store's prefix, a backslash and a name there.",
        examples=["anna@example.org"],
    ),
    Storable,
]
# What is typed; the rules for a new password answer in words.
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
Language = Literal["en", "da"]
# Of one thing the console remembers for its user, such as `columns.devices`.
Preference = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9.-]{0,63}$")]
Scope = Annotated[Permission, Strict(False)]


class SignInBody(Body):
    """An e-mail address, or the name in a user store, and a password."""

    email: SignInName
    password: Password


class LinkBody(Body):
    """The token of a one-time link."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class RefreshBody(Body):
    """A refresh token; it works once."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class PasswordBody(Body):
    """A new password, and the current one if there is one."""

    current_password: Password | None = None
    new_password: Password


class TokensOut(Out):
    """An access token for 15 minutes, and the refresh token for the next."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in_s: int


class UserOut(Stamped):
    """A person."""

    id: UUID
    email: str | None
    name: str
    language: str | None
    active: bool
    has_password: bool
    expires_at: Instant | None
    signed_in_at: Instant | None


class GrantOut(Out):
    """Permissions held somewhere; no organization means the whole installation."""

    organization_id: UUID | None
    application_ids: list[UUID] | None
    permissions: list[str]


class MeOut(Out):
    """Who asks, and what they hold."""

    kind: CallerKind
    id: UUID
    label: str
    user: UserOut | None
    session_id: UUID | None
    csrf_token: str | None
    grants: list[GrantOut]


class SessionOut(Out):
    """One place where you are signed in."""

    id: UUID
    kind: SessionKind
    origin: str | None
    agent: str | None
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    current: bool


class PathOut(Out):
    """A permission group by which somebody holds something.

    `onlyHere` are the permissions that no other path gives: what would be lost if the group were
    removed, or the member taken out of it. No organization means a group of the installation.
    """

    group_id: UUID
    group_name: str
    organization_id: UUID | None
    roles: list[Role]
    permissions: list[Permission]
    only_here: list[Permission]


class AccessOut(Out):
    """What a person or an API key may do with a thing, by which paths and until when."""

    kind: MemberKind
    id: UUID
    label: str
    until: Instant | None
    permissions: list[Permission]
    paths: list[PathOut]


class UserBody(Body):
    """Whom to let in, and into which permission groups."""

    email: Email
    name: Name
    language: Language | None = None
    expires_at: Instant | None = None
    permission_group_ids: Annotated[list[Id], Field(max_length=100)] = []

    def to_model(self) -> NewUser:
        """Make the noun."""
        return NewUser(
            self.email,
            self.name,
            self.language,
            self.expires_at,
            tuple(dict.fromkeys(self.permission_group_ids)),
        )


class InvitationBody(Body):
    """Whom to ask, and into which permission groups of one organization.

    Name, language and end of the account are for an account that the person has yet to make.
    """

    email: Email
    name: Name
    language: Language | None = None
    account_expires_at: Instant | None = None
    permission_group_ids: Annotated[list[Id], Field(max_length=100)] = []

    def to_model(self) -> NewUser:
        """Make the noun."""
        return NewUser(
            self.email,
            self.name,
            self.language,
            self.account_expires_at,
            tuple(dict.fromkeys(self.permission_group_ids)),
        )


class UserPatch(Body):
    """Fields of a user to change (JSON Merge Patch)."""

    email: Email = ""
    name: Name = ""
    language: Language | None = None
    active: bool = True
    expires_at: Instant | None = None


class LinkOut(Out):
    """A link that lets somebody in once; it is shown once."""

    kind: LinkKind
    url: str
    expires_at: Instant


class AddedOut(UserOut):
    """The new user, with the link that lets them in."""

    link: LinkOut


class InvitationOut(Stamped):
    """What was asked of somebody; `expiresAt` is when it ends unanswered."""

    id: UUID
    organization_id: UUID | None
    email: str
    name: str
    language: str | None
    account_expires_at: Instant | None
    permission_group_ids: list[UUID]
    expires_at: Instant


class InvitedOut(InvitationOut):
    """A new invitation with its link, which is shown this once.

    The link makes an account; who has one already signs in to it and finds the invitation.
    """

    link: LinkOut


class ReceivedInvitationOut(Out):
    """An invitation to you; no organization means the whole installation."""

    id: UUID
    organization_id: UUID | None
    organization_name: str | None
    permission_groups: list[str]
    invited_by: str | None
    created_at: Instant
    expires_at: Instant


class ApiKeyBody(Body):
    """A new API key."""

    organization_id: Id | None = None
    name: Name
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = None
    expires_at: Instant | None = None

    def to_model(self) -> NewApiKey:
        """Make the noun."""
        return NewApiKey(
            self.organization_id,
            self.name,
            tuple(dict.fromkeys(self.permission_group_ids)),
            None if self.scopes is None else tuple(dict.fromkeys(self.scopes)),
            self.expires_at,
        )


class ApiKeyPatch(Body):
    """Fields of an API key to change (JSON Merge Patch)."""

    name: Name = ""
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=100)] = []
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = None
    expires_at: Instant | None = None

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, lists as tuples without repeats."""
        return {
            k: tuple(dict.fromkeys(v)) if isinstance(v, list) else v
            for k, v in self.given().items()
        }


class ApiKeyOut(Stamped):
    """An API key, without its secret."""

    id: UUID
    organization_id: UUID | None
    name: str
    permission_group_ids: list[UUID]
    scopes: list[Permission] | None
    expires_at: Instant | None
    used_at: Instant | None


class IssuedKeyOut(ApiKeyOut):
    """A new API key with its secret, which is shown this once."""

    key: str
