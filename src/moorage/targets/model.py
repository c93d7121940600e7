"""Targets, the routes that lead to them, and what travels there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

MASKED = "***"
# Failures that reach a target's log in a second, or of one batch of undecodable messages.
LOGGED_FAILURES = 20


class HealthState(StrEnum):
    """How deliveries to a target fare."""

    IDLE = "idle"
    OK = "ok"
    FAILING = "failing"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Health:
    """How a target fares, as its deliverer last saw it.

    `open` means that deliveries stopped after failures in a row; one is tried at `retry_at`.
    """

    state: HealthState = HealthState.IDLE
    since: datetime | None = None
    accepted_at: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go next.

    Attributes:
        settings: as its kind's own schema has them; secrets are kept apart and never shown.
        secrets: the names of the secrets that are set.
        max_attempts: failures of one message, while the target answers, before it is set aside.
        max_age_s: age at which an undelivered message is set aside.
        concurrency: deliveries under way at once; those of one device always follow each other.
        receipt_days: days that receipts are kept after the one they are of; 0 for no receipts.
        pending: how many messages wait, counted up to 10,000.
    """

    id: UUID
    organization_id: UUID
    application_id: UUID
    name: str
    kind: str
    settings: Mapping[str, Any]
    secrets: tuple[str, ...]
    paused: bool
    max_attempts: int
    max_age_s: int
    concurrency: int
    receipt_days: int
    health: Health
    pending: int
    dead_letters: int
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    @property
    def max_age(self) -> timedelta:
        """The age limit as a duration."""
        return timedelta(seconds=self.max_age_s)


@dataclass(frozen=True, slots=True)
class NewTarget:
    """What makes a target; `secrets` in plain text, to be sealed."""

    application_id: UUID
    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_attempts: int = 12
    max_age_s: int = 3 * 86_400
    concurrency: int = 32
    receipt_days: int = 30


class Source(StrEnum):
    """What a route sends: the decoded document, or the bytes as received."""

    DOCUMENT = "document"
    RAW = "raw"


class Comparison(StrEnum):
    """How a condition compares."""

    EQUAL = "eq"
    UNEQUAL = "ne"
    GREATER = "gt"
    AT_LEAST = "ge"
    LESS = "lt"
    AT_MOST = "le"
    CONTAINS = "contains"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a message: `readings.temperature`, `document.a.b` or `channel`."""

    field: str
    comparison: Comparison
    value: Any = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """Pass every n-th message, or at most one per interval, counted for each device."""

    every: int | None = None
    interval_s: int | None = None

    @property
    def interval(self) -> timedelta | None:
        """The interval as a duration."""
        return None if self.interval_s is None else timedelta(seconds=self.interval_s)


@dataclass(frozen=True, slots=True)
class Route:
    """Devices × decoder or raw × target, with filter and sampling.

    Attributes:
        decoder_id: what decodes for this route only; None means as decoded for the device.
        device_ids: only these devices; None means no such limit.
        tags: only devices that carry all of these.
        conditions: all must hold.
    """

    id: UUID
    target_id: UUID
    organization_id: UUID
    application_id: UUID
    name: str
    enabled: bool
    source: Source
    decoder_id: UUID | None
    device_ids: tuple[UUID, ...] | None
    tags: tuple[str, ...]
    conditions: tuple[Condition, ...]
    sampling: Sampling
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewRoute:
    """What makes a route."""

    target_id: UUID
    name: str
    enabled: bool = True
    source: Source = Source.DOCUMENT
    decoder_id: UUID | None = None
    device_ids: tuple[UUID, ...] | None = None
    tags: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    sampling: Sampling = Sampling()


# --- What travels ---------------------------------------------------------

Reading = tuple[str, float | bool | str, str | None]


class Content(msgspec.Struct, array_like=True, gc=False):
    """What a delivery carries, as it waits in the outbox.

    Attributes:
        device_id, application_id: UUIDs as text.
        at_us, received_us: microseconds since 1970, UTC.
        document: JSON, or None where the bytes as received travel.
        readings: name, value, unit.
        undecoded: the transport data of a message whose `payload` its route's decoder has yet to
            decode; None for all others.
    """

    message_id: str
    device_id: str
    device_name: str
    application_id: str
    at_us: int
    received_us: int
    channel: str = ""
    document: bytes | None = None
    readings: tuple[Reading, ...] = ()
    payload: bytes | None = None
    content_type: str = ""
    undecoded: dict[str, Any] | None = None

    @property
    def received_at(self) -> datetime:
        """When the platform received it."""
        return datetime.fromtimestamp(self.received_us / 1_000_000, UTC)


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One content on its way to one target.

    `key` is the same in every attempt: the idempotency key of (route, message). `traceparent` is
    the trace this attempt belongs to (W3C Trace Context), where the installation sends traces.
    """

    key: str
    content: Content
    attempt: int = 1
    traceparent: str | None = None


class Outcome(StrEnum):
    """What became of an attempt.

    `refused`: the target will never take this. `failed`: it answered that it could not; worth
    some more attempts. `outage`: it could not be reached or asks to wait; says nothing about
    this message, so it does not use up its attempts.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended.

    Attributes:
        status: the target's own code, such as an HTTP status.
        detail: one sentence for the person who mends it; never a secret.
        answer: an excerpt of what the target said.
        retry_after_s: how long the target asks to be left alone.
    """

    outcome: Outcome
    status: int | None = None
    detail: str = ""
    answer: str = ""
    latency_ms: float = 0.0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """An outbox row, as a deliverer holds it; `n` gives the order."""

    n: int
    route_id: UUID
    device: int
    key: UUID
    content: bytes
    enqueued_at: datetime
    day: date
    attempts: int


class Reason(StrEnum):
    """Why a message was set aside; `decoder`: its route's decoder could not decode it."""

    REFUSED = "refused"
    ATTEMPTS = "attempts"
    AGE = "age"
    DECODER = "decoder"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, kept to be seen, edited, sent again or discarded."""

    id: UUID
    target_id: UUID
    route_id: UUID
    device: int
    key: UUID
    content: Content
    enqueued_at: datetime
    day: date
    attempts: int
    reason: Reason
    status: int | None
    detail: str
    answer: str
    created_at: datetime
    updated_at: datetime
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One attempt, as the target's log shows it."""

    n: int
    at: datetime
    outcome: Outcome
    device_id: UUID | None
    message_id: str
    key: str
    attempt: int
    status: int | None
    latency_ms: float
    detail: str
    answer: str


@dataclass(frozen=True, slots=True)
class StatementDay:
    """One day of a statement, by the organisation's calendar, of messages taken in that day."""

    day: date
    sent: int
    accepted: int
    dead: int
    pending: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a target was sent in a month: sent = accepted + dead + pending."""

    target_id: UUID
    month: str
    time_zone: str
    sent: int
    accepted: int
    dead: int
    pending: int
    discarded: int
    days: tuple[StatementDay, ...]


class ReceiptOutcome(StrEnum):
    """What a delivery came to."""

    ACCEPTED = "accepted"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a delivery was accepted or given up, and when.

    Of one key the last receipt counts: a dead letter that is sent again gets another one. There is
    one at most that says accepted.

    Attributes:
        day: the day of the statement it counts for, on which it entered the outbox.
        device: its number; `device_id` and `device_name` are None once it is removed.
        reason: why it was given up; None if accepted.
        attempts: how many there were, outages aside.
    """

    target_id: UUID
    at: datetime
    day: date
    device: int
    message_id: UUID
    key: UUID
    outcome: ReceiptOutcome
    reason: Reason | None
    status: int | None
    attempts: int
    detail: str
    device_id: UUID | None = None
    device_name: str | None = None


@dataclass(frozen=True, slots=True)
class WantedReceipts:
    """Which of a target's receipts; `start` included, `end` not, by the time of settling."""

    device_id: UUID | None = None
    message_id: UUID | None = None
    outcome: ReceiptOutcome | None = None
    reason: Reason | None = None
    start: datetime | None = None
    end: datetime | None = None


class DeliveryState(StrEnum):
    """How far a message is on its way to a target.

    `not_connected`: no route took it. `unknown`: receipts of its time are not kept.
    """

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DEAD = "dead"
    NOT_CONNECTED = "not_connected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MessageDelivery:
    """What became of one message at one target: it waits, or the newest receipt says it.

    Attributes:
        at: when it was accepted, given up, or began to wait.
        receipts: the oldest first; of several routes and replays there are several.
    """

    target_id: UUID
    target_name: str
    state: DeliveryState
    at: datetime | None
    receipts: tuple[Receipt, ...]


class ReplayState(StrEnum):
    """How far a replay is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Replay:
    """Messages of a period on their way to a target once more, under new keys."""

    id: UUID
    target_id: UUID
    from_at: datetime
    to_at: datetime
    state: ReplayState
    enqueued: int
    position: str
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewTrial:
    """What a test sends: a stored message of a device, or a document.

    `position` is that of the device's messages; None is the newest. It is sent as the route would;
    None is the oldest route of the target that takes the device.
    """

    device_id: UUID | None = None
    position: str | None = None
    route_id: UUID | None = None
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test sent and what came back; secrets masked."""

    request: str
    result: Result
