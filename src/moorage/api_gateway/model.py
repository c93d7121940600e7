"""Plans, limits and usage of the API, and answers kept for repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

ANSWERS_KEPT = timedelta(hours=24)
# A request that was cut down with its process may be tried again after this.
UNDERWAY_AT_MOST = timedelta(minutes=1)
LONGEST_KEPT_ANSWER = 1024 * 1024
USAGE_KEPT = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: how many at once, and how many a second after that."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may ask of the API.

    `signed` is per person or program without a plan, over all processes; `unsigned` per network
    address and process.
    """

    signed: Rate = Rate(300, 50)
    unsigned: Rate = Rate(60, 5)
    body_bytes: int = 16 * 1024 * 1024
    unsigned_body_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a repeated request gets again."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


# --- Plans ------------------------------------------------------------------


class SubscriberKind(StrEnum):
    """Who may be on a plan."""

    ORGANIZATION = "organization"
    USER = "user"
    API_KEY = "apiKey"
    CLIENT = "client"


class SubscriptionState(StrEnum):
    """How far a subscription is."""

    ASKED = "asked"
    ACTIVE = "active"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewPlan:
    """What makes a plan.

    Attributes:
        organization_id: whose programs it is for; None is a plan of the installation, for all.
        requests: at most so many in each `period`; None is no bound.
        data_bytes: of bodies, asked and answered, in each `period`; None is no bound.
        period: counted in UTC from 1970-01-01T00:00:00Z.
        needs_approval: whether an administrator of the plan says yes before it holds.
    """

    organization_id: UUID | None
    name: str
    description: str
    requests_per_second: float
    burst: int
    requests: int | None
    data_bytes: int | None
    period: timedelta
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class Plan(NewPlan):
    """How much a subscriber may ask of the API."""

    id: UUID
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber on a plan, or who would like to be.

    `organization_id` is the one that the subscriber belongs to; None for people and for programs of
    the installation.
    """

    id: UUID
    plan_id: UUID
    organization_id: UUID | None
    subscriber_kind: SubscriberKind
    subscriber_id: UUID
    state: SubscriptionState
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one allowance: a subscriber's on a plan, or a caller's without one.

    Attributes:
        name: what it is called in headers.
        key: what it is called in the database; another plan is another allowance.
        plan: the plan's name, if there is one.
        requests, data_bytes: at most in each period of `period_s` seconds; None is no bound.
    """

    name: str
    key: str
    rate: Rate
    plan: str | None = None
    requests: int | None = None
    data_bytes: int | None = None
    period_s: int = 86_400


@dataclass(frozen=True, slots=True)
class Lease:
    """A part of an allowance that one process may hand out by itself.

    Attributes:
        requests, data_bytes: what it may hand out.
        tokens: what is left in the bucket beside it.
        requests_left, data_left: of the period, beside it.
        period: when the period began, in seconds since 1970.
        ends_in_s: until the period ends.
    """

    requests: int
    data_bytes: int
    tokens: float
    requests_left: int
    data_left: int
    period: int
    ends_in_s: float


@dataclass(frozen=True, slots=True)
class Unused:
    """What of a lease is given back; `data_bytes` below zero was used beyond it."""

    key: str
    requests: int
    data_bytes: int
    period: int


# --- Usage ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose requests are counted together.

    Attributes:
        client_id: the OAuth client by which they asked.
        organization_id: what a program belongs to, or a person's only organisation.
        area: of the API, as the tags of its document; `other` for what no route answered.
    """

    caller_kind: str
    caller_id: UUID
    client_id: UUID | None
    organization_id: UUID | None
    area: str


@dataclass(slots=True)
class Counts:
    """What was asked and answered; `refused` are those a limit turned away (429)."""

    calls: int = 0
    errors: int = 0
    failures: int = 0
    refused: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What somebody asked of an area of the API in an hour, which began at `hour`."""

    id: UUID
    hour: datetime
    caller_kind: str
    caller_id: UUID
    client_id: UUID | None
    organization_id: UUID | None
    area: str
    calls: int
    errors: int
    failures: int
    refused: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class WantedUsage:
    """Which usage is asked for; hours that begin in `from_` to before `to`."""

    organization_id: UUID | None = None
    caller_id: UUID | None = None
    client_id: UUID | None = None
    area: str | None = None
    from_: datetime | None = None
    to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """What one caller asked over some time, through one client or none."""

    caller_kind: str
    caller_id: UUID
    client_id: UUID | None
    organization_id: UUID | None
    calls: int
    errors: int
    failures: int
    refused: int
    bytes_in: int
    bytes_out: int
    last_hour: datetime


# --- Pages of other sites ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """A site whose pages may ask the API (the Fetch standard, CORS protocol).

    Attributes:
        organization_id: for whose people and programs; None is for everybody.
        client_id: for this OAuth client only.
        origin: as browsers write it, such as `https://app.example.org`.
    """

    id: UUID
    organization_id: UUID | None
    client_id: UUID | None
    origin: str
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


# --- The API store ----------------------------------------------------------


class Language(StrEnum):
    """What clients are made in."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One call of the API; `id` is unique in the whole of it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    deprecated: bool


@dataclass(frozen=True, slots=True)
class Api:
    """An area of the API: what carries one tag of its document.

    Attributes:
        id: the tag; usage is counted under it.
        description: Markdown.
    """

    id: str
    title: str
    description: str
    operations: tuple[ApiOperation, ...]
