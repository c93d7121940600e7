"""Bodies of the sources' routes."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.devices import CalledBy
from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable

from .model import (
    MOST_CONNECTIONS,
    BrokerKind,
    NewSource,
    Outcome,
    State,
    Subscription,
    Version,
)

Text = Annotated[str, Storable]
Secret = Annotated[Text, Field(min_length=1, max_length=20_000)]
Pem = Annotated[Text, Field(min_length=1, max_length=50_000)]
Url = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=1_024,
        description="mqtt://, mqtts://, ws:// or wss:// with host and, unless usual, port.",
        examples=["mqtts://broker.example.org"],
    ),
]
ClientId = Annotated[
    Text,
    Field(max_length=100, description="Empty for one of the source's own, `moorage-` and its id."),
]
UserName = Annotated[Text, Field(max_length=200)]
KeepAlive = Annotated[int, Field(ge=5, le=3_600, description="In seconds.")]
IdentifierKind = Annotated[
    Text, Field(max_length=50, description="Such as `devEui`; only with `calledBy: identifier`.")
]
Connections = Annotated[
    int,
    Field(
        ge=1,
        le=MOST_CONNECTIONS,
        description="By how many connections messages are fetched, through a shared subscription; "
        "more than one from a Mosquitto, EMQX or VerneMQ in front.",
    ),
]
CALLED_BY = "What of a device its name in topics or payloads is."
INBOX = "The application where senders nobody knows wait; null refuses them."


class SubscriptionBody(Body):
    """What is subscribed to; topic, payload or a constant says of which device messages are."""

    topic: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=1_000,
            description="A topic filter; {device}, {channel} and {port} stand for what a level "
            "says.",
            examples=["plant/{device}/+/up"],
        ),
    ]
    qos: Annotated[int, Field(ge=0, le=2)] = 1
    device: Annotated[
        Text | None, Field(min_length=1, max_length=200, description="Of which device all are.")
    ] = None
    device_pointer: Annotated[
        Text | None,
        Field(
            min_length=1,
            max_length=500,
            description="JSON Pointer to the device within the payload.",
            examples=["/deviceInfo/devEui"],
        ),
    ] = None

    def to_model(self) -> Subscription:
        """Make the noun."""
        return Subscription(self.topic, self.qos, self.device, self.device_pointer)


Subscriptions = Annotated[list[SubscriptionBody], Field(min_length=1, max_length=50)]


class SourceBody(Body):
    """A new source. Secrets are `password` and `clientKey` (PEM without passphrase)."""

    organization_id: Id
    name: Name
    url: Url
    version: Annotated[Version, Strict(False)] = Version.V5
    client_id: ClientId = ""
    user_name: UserName = ""
    keep_alive_s: KeepAlive = 60
    authority: Pem | None = None
    client_certificate: Pem | None = None
    subscriptions: Subscriptions
    called_by: Annotated[CalledBy, Strict(False), Field(description=CALLED_BY)] = CalledBy.ID
    identifier_kind: IdentifierKind = ""
    inbox_id: Annotated[Id | None, Field(description=INBOX)] = None
    secrets: dict[str, Secret] = {}

    def to_model(self) -> NewSource:
        """Make the noun."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        subscriptions = tuple(one.to_model() for one in self.subscriptions)
        return NewSource(**values | {"subscriptions": subscriptions})


class SourcePatch(Body):
    """Fields of a source to change (JSON Merge Patch).

    Of `secrets` null removes one. `subscriptions` are replaced as a whole.
    """

    name: Name = ""
    url: Url = ""
    version: Annotated[Version, Strict(False)] = Version.V5
    client_id: ClientId = ""
    user_name: UserName = ""
    keep_alive_s: KeepAlive = 60
    authority: Pem | None = None
    client_certificate: Pem | None = None
    subscriptions: Subscriptions = []
    called_by: Annotated[CalledBy, Strict(False), Field(description=CALLED_BY)] = CalledBy.ID
    identifier_kind: IdentifierKind = ""
    inbox_id: Annotated[Id | None, Field(description=INBOX)] = None
    connections: Connections = 1
    secrets: dict[str, Secret | None] = {}

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as the noun has them."""
        changes = self.given()
        if "subscriptions" in changes:
            changes["subscriptions"] = tuple(one.to_model() for one in changes["subscriptions"])
        return changes


class SubscriptionOut(Out):
    """What is subscribed to."""

    topic: str
    qos: int
    device: str | None
    device_pointer: Annotated[str | None, Field(validation_alias="pointer")]


class HealthOut(Out):
    """How a source fares; `idle` if it is paused or no process holds it.

    `error` of one that is connected says what the broker refuses. The counts are of all times.
    """

    state: State
    since: Instant | None
    connected_at: Instant | None
    failed_at: Instant | None
    error: str
    retry_at: Instant | None
    last_message_at: Instant | None
    taken: int
    repeated: int
    refused: int


class SourceOut(Stamped):
    """A source; secrets are write-only, `secrets` names those that are set.

    `brokerId` and `front` are of those that are a broker in front of the platform; without
    `organizationId` that serves the whole installation.
    """

    id: UUID
    organization_id: UUID | None
    broker_id: UUID | None
    front: BrokerKind | None
    name: str
    url: str
    version: Version
    client_id: str
    user_name: str
    keep_alive_s: int
    authority: str | None
    client_certificate: str | None
    subscriptions: list[SubscriptionOut]
    called_by: CalledBy
    identifier_kind: str
    inbox_id: UUID | None
    connections: int
    secrets: list[str]
    paused: bool
    health: HealthOut


class SourceLogOut(Out):
    """One message of a source; `excerpt` is how the payload of a refused one begins."""

    n: int
    at: Instant
    outcome: Outcome
    topic: str
    device_id: UUID | None
    size: int
    detail: str
    excerpt: str


class GrantedOut(Out):
    """What the broker said to a subscription; `qos` is null if it refused it."""

    topic: str
    qos: int | None
    detail: str


class SampleOut(Out):
    """A message that came during a test, and what would become of it."""

    topic: str
    outcome: Outcome
    device: str
    channel: str
    port: int | None
    detail: str
    excerpt: str


class SourceTrialOut(Out):
    """How a test went."""

    connected: bool
    detail: str
    latency_ms: float
    subscriptions: list[GrantedOut]
    samples: list[SampleOut]
