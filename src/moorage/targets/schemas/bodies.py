"""Bodies of the targets' routes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import AfterValidator, Field, Strict

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped

from ..model import (
    Comparison,
    Condition,
    DeadLetter,
    HealthState,
    NewRoute,
    NewTarget,
    NewTrial,
    Outcome,
    Reason,
    ReplayState,
    Sampling,
    Source,
)

Secret = Annotated[str, Field(min_length=1, max_length=20_000)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]
Attempts = Annotated[int, Field(ge=1, le=100)]
Concurrency = Annotated[int, Field(ge=1, le=256)]
ReceiptDays = Annotated[
    int, Field(ge=0, le=366, description="Days that receipts are kept; 0 for no receipts.")
]
DAY_S = 86_400
DECODER = "Decodes for this route only; null for the document as decoded for the device."


def _age(value: timedelta) -> timedelta:
    if not 60 <= value.total_seconds() <= 30 * DAY_S:
        raise ValueError("must be from one minute (PT1M) to thirty days (P30D)")
    return value


def _interval(value: timedelta) -> timedelta:
    if not 1 <= value.total_seconds() <= 366 * DAY_S:
        raise ValueError("must be from one second (PT1S) to a year (P366D)")
    return value


Age = Annotated[Duration, AfterValidator(_age)]
Interval = Annotated[Duration, AfterValidator(_interval)]


# --- Kinds and targets ----------------------------------------------------


class KindOut(Out):
    """A kind of target, with what its form needs."""

    kind: str
    title: str
    settings_schema: dict[str, Any]
    secrets: dict[str, str]


class TargetBody(Body):
    """A new target; `settings` and `secrets` are those of its kind."""

    application_id: Id
    name: Name
    kind: Annotated[str, Field(min_length=1, max_length=50)]
    settings: dict[str, Any]
    secrets: dict[str, Secret] = {}
    max_attempts: Attempts = 12
    max_age: Age = timedelta(days=3)
    concurrency: Concurrency = 32
    receipt_days: ReceiptDays = 30

    def to_model(self) -> NewTarget:
        """Make the noun."""
        return NewTarget(
            self.application_id,
            self.name,
            self.kind,
            self.settings,
            self.secrets,
            self.max_attempts,
            int(self.max_age.total_seconds()),
            self.concurrency,
            self.receipt_days,
        )


class TargetPatch(Body):
    """Fields of a target to change (JSON Merge Patch).

    Of `secrets` null removes one.
    """

    name: Name = ""
    settings: dict[str, Any] = {}
    secrets: dict[str, Secret | None] = {}
    max_attempts: Attempts = 12
    max_age: Age = timedelta(days=3)
    concurrency: Concurrency = 32
    receipt_days: ReceiptDays = 30

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as columns."""
        changes = self.given()
        if "max_age" in changes:
            changes["max_age_s"] = int(changes.pop("max_age").total_seconds())
        return changes


class HealthOut(Out):
    """How deliveries to a target fare; `open` means stopped after failures in a row."""

    state: HealthState
    since: Instant | None
    accepted_at: Instant | None
    failed_at: Instant | None
    error: str
    retry_at: Instant | None


class TargetOut(Stamped):
    """A target; secrets are write-only, `secrets` names those that are set."""

    id: UUID
    organization_id: UUID
    application_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    secrets: list[str]
    paused: bool
    max_attempts: int
    max_age: Duration
    concurrency: int
    receipt_days: int
    health: HealthOut
    pending: int
    dead_letters: int


# --- Routes ---------------------------------------------------------------


class ConditionBody(Body):
    """A condition on `channel`, `readings.<name>` or `document.<path>`."""

    field: Annotated[str, Field(min_length=1, max_length=200)]
    comparison: Annotated[Comparison, Strict(False)] = Comparison.EQUAL
    value: float | bool | Annotated[str, Field(max_length=500)] | None = None

    def to_model(self) -> Condition:
        """Make the noun."""
        return Condition(self.field, self.comparison, self.value)


class SamplingBody(Body):
    """Pass every n-th message of a device, or at most one per interval."""

    every: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    interval: Interval | None = None

    def to_model(self) -> Sampling:
        """Make the noun."""
        return replace(Sampling(), **self.to_changes())

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as the noun has them."""
        changes = self.given()
        if "interval" in changes:
            interval = changes.pop("interval")
            changes["interval_s"] = None if interval is None else int(interval.total_seconds())
        return changes


class RouteBody(Body):
    """A new route, for devices of the target's application."""

    target_id: Id
    name: Name
    enabled: bool = True
    source: Annotated[Source, Strict(False)] = Source.DOCUMENT
    decoder_id: Annotated[Id | None, Field(description=DECODER)] = None
    device_ids: Annotated[list[Id] | None, Field(max_length=10_000)] = None
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    conditions: Annotated[list[ConditionBody], Field(max_length=20)] = []
    sampling: SamplingBody = SamplingBody()

    def to_model(self) -> NewRoute:
        """Make the noun."""
        return NewRoute(
            self.target_id,
            self.name,
            self.enabled,
            self.source,
            self.decoder_id,
            None if self.device_ids is None else tuple(self.device_ids),
            tuple(self.tags),
            tuple(c.to_model() for c in self.conditions),
            self.sampling.to_model(),
        )


class RoutePatch(Body):
    """Fields of a route to change (JSON Merge Patch)."""

    name: Name = ""
    enabled: bool = True
    source: Annotated[Source, Strict(False)] = Source.DOCUMENT
    decoder_id: Annotated[Id | None, Field(description=DECODER)] = None
    device_ids: Annotated[list[Id] | None, Field(max_length=10_000)] = None
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    conditions: Annotated[list[ConditionBody], Field(max_length=20)] = []
    sampling: SamplingBody = SamplingBody()

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as nouns."""
        changes = {k: tuple(v) if isinstance(v, list) else v for k, v in self.given().items()}
        if "conditions" in changes:
            changes["conditions"] = tuple(c.to_model() for c in self.conditions)
        if "sampling" in changes:
            changes["sampling"] = self.sampling.to_changes()
        return changes


class ConditionOut(Out):
    """A condition."""

    field: str
    comparison: Comparison
    value: float | bool | str | None


class SamplingOut(Out):
    """Which messages pass."""

    every: int | None
    interval: Duration | None


class RouteOut(Stamped):
    """A route."""

    id: UUID
    target_id: UUID
    organization_id: UUID
    application_id: UUID
    name: str
    enabled: bool
    source: Source
    decoder_id: UUID | None
    device_ids: list[UUID] | None
    tags: list[str]
    conditions: list[ConditionOut]
    sampling: SamplingOut


# --- What became of deliveries --------------------------------------------


class LogEntryOut(Out):
    """One attempt."""

    n: int
    at: Instant
    outcome: Outcome
    device_id: UUID | None
    message_id: str
    key: str
    attempt: int
    status: int | None
    latency_ms: float
    detail: str
    answer: str


class StatementDayOut(Out):
    """One day, by the organisation's calendar."""

    day: date
    sent: int
    accepted: int
    dead: int
    pending: int


class StatementOut(Out):
    """A month: sent = accepted + dead + pending; `discarded` are among the dead."""

    target_id: UUID
    month: str
    time_zone: str
    sent: int
    accepted: int
    dead: int
    pending: int
    discarded: int
    days: list[StatementDayOut]


class DeadLetterOut(Out):
    """A message that was given up.

    `document` is what a decoded message carries, `payload` (base64) one sent as received, or one
    that its route's decoder could not do (`reason` `decoder`).
    """

    id: UUID
    target_id: UUID
    route_id: UUID
    device_id: UUID
    device_name: str
    message_id: str
    key: UUID
    received_at: Instant
    channel: str
    document: Any
    payload: str | None
    content_type: str
    attempts: int
    reason: Reason
    status: int | None
    detail: str
    answer: str
    created_at: Instant
    updated_at: Instant
    updated_by: UUID

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterOut:
        """Make the body of a dead letter."""
        content = letter.content
        document = None if content.document is None else msgspec.json.decode(content.document)
        payload = None if content.payload is None else base64.b64encode(content.payload).decode()
        return cls(
            id=letter.id,
            target_id=letter.target_id,
            route_id=letter.route_id,
            device_id=UUID(content.device_id),
            device_name=content.device_name,
            message_id=content.message_id,
            key=letter.key,
            received_at=content.received_at,
            channel=content.channel,
            document=document,
            payload=payload,
            content_type=content.content_type,
            attempts=letter.attempts,
            reason=letter.reason,
            status=letter.status,
            detail=letter.detail,
            answer=letter.answer,
            created_at=letter.created_at,
            updated_at=letter.updated_at,
            updated_by=letter.updated_by,
        )


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError("must be base64") from None
    return value


class DeadLetterPatch(Body):
    """What a dead letter shall carry when it is sent again (JSON Merge Patch, parts whole)."""

    document: Any = None
    payload: Annotated[str, Field(max_length=1_500_000), AfterValidator(_base64)] = ""
    content_type: Annotated[str, Field(max_length=200)] = ""

    def to_changes(self) -> Mapping[str, Any]:
        """Give the parts sent, as a content has them."""
        changes = self.given()
        if "document" in changes:
            changes["document"] = msgspec.json.encode(changes["document"])
        if "payload" in changes:
            changes["payload"] = base64.b64decode(changes["payload"])
        return changes


class CountOut(Out):
    """How many were touched; ask again while it is 10,000."""

    count: int


class ReplayBody(Body):
    """A period, by the time of receipt: `from` included, `to` not."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class ReplayOut(Stamped):
    """A replay; `enqueued` messages are in the outbox so far."""

    id: UUID
    target_id: UUID
    from_at: Instant
    to_at: Instant
    state: ReplayState
    enqueued: int


class TestBody(Body):
    """What to send: a stored message of a device (the newest one), or a document made up.

    A stored message goes as `routeId`, or else the oldest route that takes the device, sends it.
    """

    device_id: Id | None = None
    position: Annotated[str | None, Field(max_length=40)] = None
    route_id: Id | None = None
    document: dict[str, Any] | None = None

    def to_model(self) -> NewTrial:
        """Make the noun."""
        return NewTrial(self.device_id, self.position, self.route_id, self.document)


class ResultOut(Out):
    """How an attempt ended."""

    outcome: Outcome
    status: int | None
    detail: str
    answer: str
    latency_ms: float


class TrialOut(Out):
    """What a test sent, secrets masked, and what came back."""

    request: str
    result: ResultOut
