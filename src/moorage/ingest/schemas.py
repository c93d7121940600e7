"""Bodies of the routes about messages in."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, Strict

from moorage.kit.http import Body, Id, Instant, Out, Stamped
from moorage.tasks import TaskState

from .model import ReDecode


class RefusalOut(Out):
    """Something a door turned away, counted."""

    id: UUID
    reason: str
    detail: str
    protocol: str
    address: str
    hint: str
    device_id: UUID | None
    organization_id: UUID | None
    first_at: Instant
    last_at: Instant
    count: int


class ReDecodeBody(Body):
    """Messages to decode anew: received from `from` to before `to`, of devices or an application.

    Only devices that use the decoder are taken.
    """

    start: Annotated[AwareDatetime, Strict(False), Field(alias="from")]
    end: Annotated[AwareDatetime, Strict(False), Field(alias="to")]
    device_ids: Annotated[list[Id], Field(max_length=1_000)] = []
    application_id: Id | None = None

    def to_model(self) -> ReDecode:
        """Make the noun."""
        return ReDecode(self.start, self.end, tuple(self.device_ids), self.application_id)


class ReDecodeOut(Stamped):
    """A task that decodes anew, as `/tasks` shows it.

    Once it is completed, `result` has the counts of `messages` and of values `added`, `changed` and
    `removed`, a `sample` of messages before and after, and its `outcome`: `ready`, `applied` or
    `discarded`.
    """

    id: UUID
    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    state: TaskState
    done: int
    total: int | None
    result: dict[str, Any] | None
    problem: str | None
    finished_at: Instant | None
