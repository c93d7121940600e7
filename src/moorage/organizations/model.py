"""Organisations, and the permissions people and keys hold in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from moorage.kit.caller import Grant


class Permission(StrEnum):
    """One thing a caller may do; also the scope words of API keys."""

    MANAGE_INSTALLATION = "installation:manage"
    READ_ORGANIZATION = "organizations:read"
    MANAGE_ORGANIZATION = "organizations:manage"
    READ_USERS = "users:read"
    MANAGE_USERS = "users:manage"
    READ_AUDIT = "audit:read"
    READ_APPLICATIONS = "applications:read"
    MANAGE_APPLICATIONS = "applications:manage"
    READ_DEVICES = "devices:read"
    MANAGE_DEVICES = "devices:manage"
    OPERATE_DEVICES = "devices:operate"
    READ_MESSAGES = "messages:read"
    READ_DECODERS = "decoders:read"
    MANAGE_DECODERS = "decoders:manage"
    READ_TARGETS = "targets:read"
    MANAGE_TARGETS = "targets:manage"
    READ_SOURCES = "sources:read"
    MANAGE_SOURCES = "sources:manage"
    READ_GATEWAYS = "gateways:read"
    MANAGE_GATEWAYS = "gateways:manage"


class Role(StrEnum):
    """The ready-made roles; others are composed from single permissions."""

    GLOBAL_ADMIN = "GlobalAdmin"
    USER_ADMIN = "OrganizationUserAdmin"
    GATEWAY_ADMIN = "OrganizationGatewayAdmin"
    APPLICATION_ADMIN = "OrganizationApplicationAdmin"
    READ = "Read"


_READ = frozenset(
    {
        Permission.READ_ORGANIZATION,
        Permission.READ_APPLICATIONS,
        Permission.READ_DEVICES,
        Permission.READ_MESSAGES,
        Permission.READ_DECODERS,
        Permission.READ_TARGETS,
        Permission.READ_SOURCES,
        Permission.READ_GATEWAYS,
    }
)


class Quota(StrEnum):
    """What an organisation or an application may use at most; without one there is no bound.

    Those of a device hold for each device by itself: an organisation's in place of the operator's
    settings, an application's where it is less.
    """

    MESSAGES = "messagesPerSecond"
    BYTES = "bytesPerSecond"
    CONNECTS = "connectsPerSecond"
    CONNECTIONS = "connections"
    DEVICE_MESSAGES = "deviceMessagesPerSecond"
    DEVICE_BYTES = "deviceBytesPerSecond"
    DEVICE_CONNECTS = "deviceConnectsPerMinute"
    DEVICE_CONNECTIONS = "deviceConnections"
    DEVICE_QUEUE_MESSAGES = "deviceQueueMessages"
    DEVICE_QUEUE_BYTES = "deviceQueueBytes"
    DEVICES = "devices"
    SERIES = "series"
    STORAGE = "storageBytes"


def read_quotas(stored: Mapping[str, int]) -> dict[Quota, int]:
    """Read quotas as stored."""
    return {Quota(name): most for name, most in stored.items()}


# The doorbell that rings when a quota has changed.
QUOTAS_CHANNEL = "moorage_quotas"

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.GLOBAL_ADMIN: frozenset(Permission),
    Role.USER_ADMIN: frozenset(
        {
            Permission.READ_ORGANIZATION,
            Permission.MANAGE_ORGANIZATION,
            Permission.READ_USERS,
            Permission.MANAGE_USERS,
            Permission.READ_AUDIT,
        }
    ),
    Role.GATEWAY_ADMIN: frozenset(
        {Permission.READ_ORGANIZATION, Permission.READ_GATEWAYS, Permission.MANAGE_GATEWAYS}
    ),
    Role.APPLICATION_ADMIN: _READ
    | {
        Permission.MANAGE_APPLICATIONS,
        Permission.MANAGE_DEVICES,
        Permission.OPERATE_DEVICES,
        Permission.MANAGE_DECODERS,
        Permission.MANAGE_TARGETS,
        Permission.MANAGE_SOURCES,
    },
    Role.READ: _READ,
}


# Held per application where a group lists applications; the rest is held in the organisation.
APPLICATION_SCOPED = frozenset(
    {
        Permission.READ_APPLICATIONS,
        Permission.MANAGE_APPLICATIONS,
        Permission.READ_DEVICES,
        Permission.MANAGE_DEVICES,
        Permission.OPERATE_DEVICES,
        Permission.READ_MESSAGES,
        Permission.READ_TARGETS,
        Permission.MANAGE_TARGETS,
        # A source speaks for devices of the whole organisation, so it takes that much.
        Permission.READ_SOURCES,
        Permission.MANAGE_SOURCES,
    }
)


# What a group can give for devices that are its members' own.
OWNER_SCOPED = frozenset(
    {
        Permission.READ_DEVICES,
        Permission.MANAGE_DEVICES,
        Permission.OPERATE_DEVICES,
        Permission.READ_MESSAGES,
    }
)


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to turn to."""

    name: str
    email: str | None = None
    phone: str | None = None
    role: str | None = None


class Kept(StrEnum):
    """What is kept for a time, as the field that says how long."""

    MESSAGES = "keep_messages"
    READINGS = "keep_readings"
    SUMMARIES = "keep_summaries"
    RESULTS = "keep_results"
    FACTS = "keep_facts"


class SecondFactor(StrEnum):
    """Of whom an organisation asks a second factor at the sign-in.

    Without it they get nothing there; of administrators, only what groups give that may change
    nothing.
    """

    NOBODY = "nobody"
    ADMINISTRATORS = "administrators"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant; how long it keeps things holds for its applications that do not say.

    None means the platform's default. Facts are the organisation's alone.
    """

    id: UUID
    name: str
    contacts: tuple[Contact, ...]
    settings: Mapping[str, Any]
    quotas: Mapping[str, int]
    time_zone: str
    keep_messages: timedelta | None
    keep_readings: timedelta | None
    keep_summaries: timedelta | None
    keep_results: timedelta | None
    keep_facts: timedelta | None
    second_factor: SecondFactor
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What founds an organisation."""

    name: str
    contacts: tuple[Contact, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    time_zone: str = "Europe/Copenhagen"
    keep_messages: timedelta | None = None
    keep_readings: timedelta | None = None
    keep_summaries: timedelta | None = None
    keep_results: timedelta | None = None
    keep_facts: timedelta | None = None
    second_factor: SecondFactor = SecondFactor.NOBODY


class MemberKind(StrEnum):
    """Who may be in a permission group."""

    USER = "user"
    API_KEY = "apiKey"
    CLIENT = "client"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Member:
    """Who is in a permission group, and until when if it ends; a group stands for its members."""

    kind: MemberKind
    id: UUID
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    """A named set of roles and single permissions, held by its members.

    `organization_id` None is the one group of GlobalAdmins. `every_application` False limits what
    is about applications to `application_ids`; `add_new_applications` puts each new application in.
    `own_devices` limits it to the devices there that a member owns (`OWNER_SCOPED`). With
    `proven_only` people get it who have shown a second factor.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    every_application: bool
    add_new_applications: bool
    own_devices: bool
    proven_only: bool
    application_ids: tuple[UUID, ...]
    member_count: int
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    def grants(self) -> tuple[Grant, ...]:
        """Tell what a member holds."""
        return grants_of(self)


@dataclass(frozen=True, slots=True)
class NewPermissionGroup:
    """What makes a permission group."""

    organization_id: UUID | None
    name: str
    roles: tuple[Role, ...] = ()
    permissions: tuple[Permission, ...] = ()
    every_application: bool = True
    add_new_applications: bool = False
    own_devices: bool = False
    proven_only: bool = False
    application_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A permission group, and what being in it gives at one place.

    Attributes:
        own: what it gives itself.
        permissions: that, and what the groups give that it is in.
        of_owner: what it gives itself to whom the thing belongs.
        permissions_of_owner: that, and what the groups give them that it is in.
        above: the groups it is in itself, each with when that ends.
    """

    group_id: UUID
    organization_id: UUID | None
    name: str
    roles: tuple[Role, ...]
    own: frozenset[Permission]
    permissions: frozenset[Permission]
    of_owner: frozenset[Permission]
    permissions_of_owner: frozenset[Permission]
    above: Mapping[UUID, datetime | None]


@dataclass(frozen=True, slots=True)
class Held:
    """What permission groups that differ in nothing but their applications give a member.

    `second_factor` is of whom the organisation asks one.
    """

    organization_id: UUID | None
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    every_application: bool
    own_devices: bool
    proven_only: bool
    application_ids: tuple[UUID, ...]
    second_factor: SecondFactor

    @property
    def is_withheld(self) -> bool:
        """Whether it is given to those only who have shown a second factor."""
        if self.proven_only:
            return True
        if self.second_factor is SecondFactor.ADMINISTRATORS:
            held = (p for grant in grants_of(self) for p in grant.permissions)
            return any(not permission.endswith(":read") for permission in held)
        return self.second_factor is SecondFactor.EVERYBODY


def grants_of(group: PermissionGroup | NewPermissionGroup | Held) -> tuple[Grant, ...]:
    """Turn a group into grants; what is about applications is limited to those listed."""
    held = frozenset(group.permissions).union(*(ROLE_PERMISSIONS[r] for r in group.roles))
    if group.every_application:
        return (Grant(held, group.organization_id),)
    scoped = held & APPLICATION_SCOPED
    if group.own_devices:
        return (
            Grant(scoped & OWNER_SCOPED, group.organization_id, frozenset(), own=True),
            Grant(held - scoped, group.organization_id),
        )
    return (
        Grant(scoped, group.organization_id, frozenset(group.application_ids)),
        Grant(held - scoped, group.organization_id),
    )
