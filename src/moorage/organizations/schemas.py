"""Bodies of the organisations' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, Strict

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped

from .model import (
    Contact,
    Member,
    MemberKind,
    NewOrganization,
    NewPermissionGroup,
    Permission,
    Quota,
    Role,
    SecondFactor,
)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone of the IANA database, such as Europe/Copenhagen")
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
Keep = Annotated[Duration, Field(ge=timedelta(days=1), le=timedelta(days=36_500))]
# Shorter, and who changed something could be forgotten before anybody asks.
KeepFacts = Annotated[Duration, Field(ge=timedelta(days=30), le=timedelta(days=36_500))]
_Quota = Annotated[Quota, Strict(False)]
_Most = Annotated[int, Field(ge=1, le=10**15)]
Quotas = Annotated[
    dict[_Quota, _Most],
    Field(description="What may be used at most, over all its devices and at each door."),
]
QuotasPatch = Annotated[
    dict[_Quota, _Most | None], Field(description="Quotas to set; null removes one.")
]
SecondFactorIn = Annotated[
    SecondFactor,
    Strict(False),
    Field(description="Of whom a second factor is asked before they get anything there."),
]
RoleIn = Annotated[Role, Strict(False)]
PermissionIn = Annotated[Permission, Strict(False)]


class ContactBody(Body):
    """A person to turn to."""

    name: Name
    email: Annotated[str | None, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] = None
    phone: Annotated[str | None, Field(max_length=32, pattern=r"^[0-9+() -]{5,}$")] = None
    role: Annotated[str | None, Field(max_length=100)] = None

    def to_model(self) -> Contact:
        """Make the noun."""
        return Contact(**self.model_dump())


Contacts = Annotated[list[ContactBody], Field(max_length=50)]


class OrganizationBody(Body):
    """A new organization."""

    name: Name
    contacts: Contacts = []
    settings: dict[str, Any] = {}
    quotas: Quotas = {}
    time_zone: Zone = "Europe/Copenhagen"
    keep_messages: Keep | None = None
    keep_readings: Keep | None = None
    keep_summaries: Keep | None = None
    keep_results: Keep | None = None
    keep_facts: KeepFacts | None = None
    second_factor: SecondFactorIn = SecondFactor.NOBODY

    def to_model(self) -> NewOrganization:
        """Make the noun."""
        contacts = tuple(c.to_model() for c in self.contacts)
        quotas = {quota.value: most for quota, most in self.quotas.items()}
        return NewOrganization(
            self.name, contacts, self.settings, quotas, self.time_zone,
            self.keep_messages, self.keep_readings, self.keep_summaries, self.keep_results,
            self.keep_facts, self.second_factor,
        )  # fmt: skip


class OrganizationPatch(Body):
    """Fields of an organization to change (JSON Merge Patch)."""

    name: Name = ""
    contacts: Contacts = []
    settings: dict[str, Any] = {}
    quotas: QuotasPatch = {}
    time_zone: Zone = "UTC"
    keep_messages: Keep | None = None
    keep_readings: Keep | None = None
    keep_summaries: Keep | None = None
    keep_results: Keep | None = None
    keep_facts: KeepFacts | None = None
    second_factor: SecondFactorIn = SecondFactor.NOBODY

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as columns."""
        changes = self.given()
        if "contacts" in changes:
            changes["contacts"] = [c.model_dump() for c in self.contacts]
        return changes


class ContactOut(Out):
    """A person to turn to."""

    name: str
    email: str | None
    phone: str | None
    role: str | None


class OrganizationOut(Stamped):
    """An organization."""

    id: UUID
    name: str
    contacts: list[ContactOut]
    settings: dict[str, Any]
    quotas: dict[str, int]
    time_zone: str
    keep_messages: Duration | None
    keep_readings: Duration | None
    keep_summaries: Duration | None
    keep_results: Duration | None
    keep_facts: Duration | None
    second_factor: SecondFactor


OwnDevices = Annotated[
    bool,
    Field(description="What is about devices is given for those alone that a member owns."),
]


ProvenOnly = Annotated[
    bool, Field(description="People get what it gives once they have shown a second factor.")
]


class PermissionGroupBody(Body):
    """A new permission group; without an organization it is for the whole installation."""

    organization_id: Id | None = None
    name: Name
    roles: list[RoleIn] = []
    permissions: list[PermissionIn] = []
    every_application: bool = True
    add_new_applications: bool = False
    own_devices: OwnDevices = False
    proven_only: ProvenOnly = False
    application_ids: list[Id] = []

    def to_model(self) -> NewPermissionGroup:
        """Make the noun."""
        return NewPermissionGroup(
            self.organization_id,
            self.name,
            tuple(self.roles),
            tuple(self.permissions),
            self.every_application,
            self.add_new_applications,
            self.own_devices,
            self.proven_only,
            tuple(self.application_ids),
        )


class PermissionGroupPatch(Body):
    """Fields of a permission group to change (JSON Merge Patch)."""

    name: Name = ""
    roles: list[RoleIn] = []
    permissions: list[PermissionIn] = []
    every_application: bool = True
    add_new_applications: bool = False
    own_devices: OwnDevices = False
    proven_only: ProvenOnly = False
    application_ids: list[Id] = []

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, lists as tuples."""
        return {k: tuple(v) if isinstance(v, list) else v for k, v in self.given().items()}


class PermissionGroupOut(Stamped):
    """A permission group."""

    id: UUID
    organization_id: UUID | None
    name: str
    roles: list[Role]
    permissions: list[Permission]
    every_application: bool
    add_new_applications: bool
    own_devices: bool
    proven_only: bool
    application_ids: list[UUID]
    member_count: int


class MemberBody(Body):
    """Who joins or leaves."""

    kind: Annotated[
        MemberKind,
        Strict(False),
        Field(description="A group of the same organization joins for all its members."),
    ] = MemberKind.USER
    id: Id
    until: Annotated[
        Instant | None, Field(description="When it ends by itself; without, it does not.")
    ] = None

    def to_model(self) -> Member:
        """Make the noun."""
        return Member(self.kind, self.id, self.until)


class MemberOut(Out):
    """One member."""

    kind: MemberKind
    id: UUID
    until: Instant | None
