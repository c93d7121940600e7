"""Bodies of the routes about plans."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, Strict

from moorage.kit.caller import CallerKind
from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped, Storable

from .model import NewPlan, SubscriberKind, SubscriptionState

Description = Annotated[str, Field(max_length=4_000), Storable]
PerSecond = Annotated[
    float,
    Strict(False),
    Field(
        ge=0.001,
        le=100_000,
        allow_inf_nan=False,
        description="How fast the bucket of requests refills.",
    ),
]
Burst = Annotated[int, Field(ge=1, le=1_000_000, description="How many requests at once.")]
Requests = Annotated[
    int, Field(ge=1, le=10**15, description="Requests in each period; null is no bound.")
]
DataBytes = Annotated[
    int,
    Field(
        ge=1, le=10**15, description="Bytes of bodies, both ways, in each period; null is no bound."
    ),
]


def _whole(period: timedelta) -> timedelta:
    if period.microseconds:
        raise ValueError("must be whole seconds")
    return period


Period = Annotated[
    Duration,
    AfterValidator(_whole),
    Field(
        ge=timedelta(minutes=1),
        le=timedelta(days=31),
        description="In whole seconds, counted in UTC from 1970-01-01T00:00:00Z.",
    ),
]


class PlanBody(Body):
    """A new plan."""

    organization_id: Annotated[
        Id | None, Field(description="Whose programs it is for; none: of the installation.")
    ] = None
    name: Name
    description: Description = ""
    requests_per_second: PerSecond
    burst: Burst
    requests: Requests | None = None
    data_bytes: DataBytes | None = None
    period: Period = timedelta(days=1)
    needs_approval: Annotated[
        bool, Field(description="Whether an administrator of the plan has to agree.")
    ] = True

    def to_model(self) -> NewPlan:
        """Make the noun."""
        return NewPlan(**{name: getattr(self, name) for name in type(self).model_fields})


class PlanPatch(Body):
    """Fields of a plan to change (JSON Merge Patch)."""

    name: Name = ""
    description: Description = ""
    requests_per_second: PerSecond = 1
    burst: Burst = 1
    requests: Requests | None = None
    data_bytes: DataBytes | None = None
    period: Period = timedelta(days=1)
    needs_approval: bool = True

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return self.given()


class PlanOut(Stamped):
    """A plan: how much a subscriber may ask of the API."""

    id: UUID
    organization_id: UUID | None
    name: str
    description: str
    requests_per_second: float
    burst: int
    requests: int | None
    data_bytes: int | None
    period: Duration
    needs_approval: bool


class PlanSubscriptionBody(Body):
    """A subscriber, and the plan it shall be on."""

    plan_id: Id
    subscriber_kind: Annotated[SubscriberKind, Strict(False)]
    subscriber_id: Id


class PlanSubscriptionOut(Stamped):
    """A subscriber on a plan, or who would like to be."""

    id: UUID
    plan_id: UUID
    organization_id: UUID | None
    subscriber_kind: SubscriberKind
    subscriber_id: UUID
    state: SubscriptionState
    decided_at: Instant | None


class UsageOut(Out):
    """What somebody asked of an area of the API in an hour, which began at `hour`.

    `errors` are answers 4xx, `failures` 5xx, `refused` those a limit turned away (429); bytes are
    those of bodies.
    """

    id: UUID
    hour: Instant
    caller_kind: CallerKind
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


class TotalOut(Out):
    """What a caller asked over the time asked for, through one client or none."""

    caller_kind: CallerKind
    caller_id: UUID
    client_id: UUID | None
    organization_id: UUID | None
    calls: int
    errors: int
    failures: int
    refused: int
    bytes_in: int
    bytes_out: int
    last_hour: Instant


class TotalsOut(Out):
    """Callers, those with the most calls first."""

    items: list[TotalOut]


class OriginBody(Body):
    """A site whose pages may ask: for a client, else for an organization, else for everybody."""

    organization_id: Id | None = None
    client_id: Id | None = None
    origin: Annotated[
        str,
        Field(min_length=8, max_length=300, examples=["https://app.example.org"]),
        Storable,
    ]


class OriginOut(Stamped):
    """A site whose pages may ask."""

    id: UUID
    organization_id: UUID | None
    client_id: UUID | None
    origin: str


class ApiOperationOut(Out):
    """One call of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    deprecated: bool


class ApiOut(Out):
    """An area of the API; `id` is its tag, `description` Markdown."""

    id: str
    title: str
    description: str
    operation_count: int


class ApiInFullOut(Out):
    """An area of the API with its calls."""

    id: str
    title: str
    description: str
    operations: list[ApiOperationOut]
