"""Notices: what somebody should look at, told once per cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class NoticeKind(StrEnum):
    """What is the matter."""

    SILENCE = "silence"
    THRESHOLD = "threshold"
    APPLICATION_ENDED = "applicationEnded"
    DECODER_FAILING = "decoderFailing"
    TARGET_FAILING = "targetFailing"
    SOURCE_FAILING = "sourceFailing"
    DISK_FILLING = "diskFilling"


class SubjectKind(StrEnum):
    """What it is the matter with."""

    DEVICE = "device"
    APPLICATION = "application"
    DECODER = "decoder"
    TARGET = "target"
    SOURCE = "source"
    INSTALLATION = "installation"


class NoticeState(StrEnum):
    """Whether it still holds, and whether somebody has seen it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A cause that was found.

    `cause` tells two of one kind and subject apart, such as the series of a threshold. A notice
    without an organisation is for the administrators of the installation.
    """

    kind: NoticeKind
    subject_kind: SubjectKind
    subject_id: UUID
    subject_name: str
    organization_id: UUID | None = None
    application_id: UUID | None = None
    cause: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to look at; it clears by itself when the cause is gone."""

    id: UUID
    kind: NoticeKind
    cause: str
    subject_kind: SubjectKind
    subject_id: UUID
    subject_name: str
    organization_id: UUID | None
    application_id: UUID | None
    detail: Mapping[str, Any]
    state: NoticeState
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    cleared_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NoticeFilter:
    """What a list of notices is narrowed by; None means not."""

    states: tuple[NoticeState, ...] = ()
    kinds: tuple[NoticeKind, ...] = ()
    organization_id: UUID | None = None
    application_id: UUID | None = None
    subject_id: UUID | None = None
