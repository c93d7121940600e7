"""Applications: the groups that own devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID


class GroupKind(StrEnum):
    """What sort of group."""

    APPLICATION = "application"


class ApplicationStatus(StrEnum):
    """How far along an application is."""

    NONE = "none"
    IN_OPERATION = "inOperation"
    PROJECT = "project"
    PROTOTYPE = "prototype"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """A person to turn to about an application."""

    name: str
    role: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What makes an application.

    `units` are UCUM codes by series name, for numbers that its devices send without a unit.
    What is kept for None is kept as long as the organisation says, else the platform.
    `silent_after` None means the platform's default. `encode_commands` lets devices' decoders
    encode commands.
    """

    organization_id: UUID
    name: str
    description: str = ""
    status: ApplicationStatus = ApplicationStatus.NONE
    start_date: date | None = None
    end_date: date | None = None
    category: str = ""
    owner: str = ""
    contacts: tuple[ContactPerson, ...] = ()
    personal_data: bool = False
    hardware: str = ""
    controlled_properties: tuple[str, ...] = ()
    device_kinds: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    keep_messages: timedelta | None = None
    keep_readings: timedelta | None = None
    keep_summaries: timedelta | None = None
    keep_results: timedelta | None = None
    encode_commands: bool = True
    silent_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """A group that owns devices; permissions can be limited to it."""

    id: UUID
    organization_id: UUID
    name: str
    description: str
    status: ApplicationStatus
    start_date: date | None
    end_date: date | None
    category: str
    owner: str
    contacts: tuple[ContactPerson, ...]
    personal_data: bool
    hardware: str
    controlled_properties: tuple[str, ...]
    device_kinds: tuple[str, ...]
    metadata: Mapping[str, str]
    quotas: Mapping[str, int]
    units: Mapping[str, str]
    keep_messages: timedelta | None
    keep_readings: timedelta | None
    keep_summaries: timedelta | None
    keep_results: timedelta | None
    encode_commands: bool
    silent_after: timedelta | None
    device_count: int
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class ApplicationFilter:
    """What a list of applications is narrowed by; None means not."""

    organization_id: UUID | None = None
    statuses: tuple[ApplicationStatus, ...] = ()
    owner: str | None = None
    category: str | None = None
    q: str | None = None
