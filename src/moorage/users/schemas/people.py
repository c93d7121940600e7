"""Bodies of people, their sessions, invitations and keys."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from moorage.kit.caller import CallerKind
from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped
from moorage.organizations import MemberKind, Permission, Role

from ..model import LinkKind, NewApiKey, NewUser, SessionKind
from .words import Email, Language, Scope


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
    own: Annotated[bool, Field(description="For your own devices there, and nothing else.")]
    permissions: list[str]


class MeOut(Out):
    """Who asks, and what they hold."""

    kind: CallerKind
    id: UUID
    label: str
    user: UserOut | None
    session_id: UUID | None
    csrf_token: str | None
    withheld: Annotated[
        list[UUID],
        Field(description="Organizations that give you more once you showed a second factor."),
    ]
    installation_withheld: Annotated[
        bool, Field(description="Whether groups of the whole installation do.")
    ]
    grants: list[GrantOut]


class SessionOut(Out):
    """One place where somebody is signed in; `current` is the one that asks."""

    id: UUID
    kind: SessionKind
    origin: str | None
    agent: str | None
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    proven: Annotated[bool, Field(description="Whether a second factor was shown.")]
    current: bool


class ThroughOut(Out):
    """A permission group that the one of a path is in itself, and until when."""

    group_id: UUID
    group_name: str
    until: Instant | None


class PathOut(Out):
    """A permission group by which somebody holds something.

    `onlyHere` are the permissions that no other path gives: what would be lost if the group were
    removed; `byOwning` are those that it gives only because the device is their own. No
    organization means a group of the installation. `until` is when the membership
    ends; `through` are the groups that the group is in itself and that give something by it.
    """

    group_id: UUID
    group_name: str
    organization_id: UUID | None
    roles: list[Role]
    permissions: list[Permission]
    only_here: list[Permission]
    by_owning: list[Permission]
    until: Instant | None
    through: list[ThroughOut]


class AccessOut(Out):
    """What a person or an API key may do with a thing, by which paths and until when."""

    kind: MemberKind
    id: UUID
    label: str
    until: Instant | None
    permissions: list[Permission]
    paths: list[PathOut]


# Left out, a link is mailed where the installation sends mail.
ByMail = Annotated[
    bool | None, Field(description="Mail the link, or answer it. Default: mail it where possible.")
]


class UserBody(Body):
    """Whom to let in, and into which permission groups."""

    email: Email
    name: Name
    language: Language | None = None
    expires_at: Instant | None = None
    permission_group_ids: Annotated[list[Id], Field(max_length=100)] = []
    by_mail: ByMail = None

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
    by_mail: ByMail = None

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
    """The new user, with the link that lets them in; none where it was mailed."""

    link: LinkOut | None


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
    """A new invitation with its link, which is shown this once; none where it was mailed.

    The link makes an account; who has one already signs in to it and finds the invitation.
    """

    link: LinkOut | None


class ReceivedInvitationOut(Out):
    """An invitation to you; no organization means the whole installation."""

    id: UUID
    organization_id: UUID | None
    organization_name: str | None
    permission_groups: list[str]
    invited_by: str | None
    created_at: Instant
    expires_at: Instant


AsBasic = Annotated[
    bool,
    Field(description="Taken as the password of HTTP Basic too, for tools that know nothing else."),
]


class ApiKeyBody(Body):
    """A new API key."""

    organization_id: Id | None = None
    name: Name
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = None
    expires_at: Instant | None = None
    basic: AsBasic = False

    def to_model(self) -> NewApiKey:
        """Make the noun."""
        return NewApiKey(
            self.organization_id,
            self.name,
            tuple(dict.fromkeys(self.permission_group_ids)),
            None if self.scopes is None else tuple(dict.fromkeys(self.scopes)),
            self.expires_at,
            self.basic,
        )


class ApiKeyPatch(Body):
    """Fields of an API key to change (JSON Merge Patch)."""

    name: Name = ""
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=100)] = []
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = None
    expires_at: Instant | None = None
    basic: AsBasic = False

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
    basic: bool
    used_at: Instant | None


class IssuedKeyOut(ApiKeyOut):
    """A new API key with its secret, which is shown this once."""

    key: str
