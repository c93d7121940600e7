"""Bodies of the brokers' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped, Storable
from moorage.sources import MOST_CONNECTIONS, BrokerKind, Version

from .model import Connection, NewBroker
from .service import ITSELF

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
ClientId = Annotated[Text, Field(max_length=100, description="Empty for one of its own.")]
UserName = Annotated[Text, Field(max_length=200, description="As the broker knows the platform.")]
KeepAlive = Annotated[int, Field(ge=5, le=3_600, description="In seconds.")]
LONGEST_OVERLAP = timedelta(days=30)
Connections = Annotated[
    int,
    Field(
        ge=1,
        le=MOST_CONNECTIONS,
        description="By how many connections messages are fetched, through a shared subscription; "
        "more than one from a Mosquitto, EMQX or VerneMQ in front.",
    ),
]
CERTIFIED = (
    "Whether the broker checks client certificates; whoever it names without a password is then "
    "known by his device's id."
)
WatchedUrl = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=1_024,
        description="Of NATS, where the platform connects to be asked: nats:// or tls://. Of "
        "RabbitMQ, where its management is asked who is there: https:// or http://.",
        examples=["tls://nats.example.org:4222", "https://rabbit.example.org:15671"],
    ),
]
Certified = Annotated[bool, Field(description=CERTIFIED)]


class BrokerBody(Body):
    """A new broker; without `organizationId` it serves the whole installation."""

    organization_id: Id | None = None
    name: Name
    kind: Annotated[BrokerKind, Strict(False)]
    certified: Certified = False
    expires_at: Annotated[Instant | None, Field(description="When its token stops working.")] = None
    url: WatchedUrl | None = None

    def to_model(self) -> NewBroker:
        """Make the noun."""
        return NewBroker(
            self.organization_id, self.name, self.kind, self.certified, self.expires_at, self.url
        )


class BrokerPatch(Body):
    """Fields of a broker to change (JSON Merge Patch)."""

    name: Name = ""
    certified: Certified = False
    url: WatchedUrl | None = None

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return self.given()


class ConnectionBody(Body):
    """How the platform reaches the broker; fields and secrets are those of a source."""

    url: Url
    version: Annotated[
        Version | None, Strict(False), Field(description="Null for the best that it speaks.")
    ] = None
    client_id: ClientId = ""
    user_name: UserName = ITSELF
    keep_alive_s: KeepAlive = 60
    authority: Pem | None = None
    client_certificate: Pem | None = None
    connections: Connections = 1
    secrets: dict[str, Secret] = {}

    def to_model(self) -> Connection:
        """Make the noun."""
        return Connection(**{name: getattr(self, name) for name in type(self).model_fields})


class TokenBody(Body):
    """How a token gives way to a new one."""

    overlap: Annotated[
        Duration, Field(ge=timedelta(), le=LONGEST_OVERLAP, description="The old one works on.")
    ] = timedelta()
    expires_at: Annotated[Instant | None, Field(description="When the new one ends.")] = None


class BrokerOut(Stamped):
    """A broker; `hint` is the end of its token, `askedAt` when it last asked."""

    id: UUID
    organization_id: UUID | None
    name: str
    kind: BrokerKind
    certified: bool
    url: str | None
    issuer: str | None
    hint: str
    expires_at: Instant | None
    previous_until: Instant | None
    asked_at: Instant | None
    source_id: UUID | None


class PieceOut(Out):
    """A part of the broker's configuration: where it belongs, and what to put there."""

    name: str
    text: str


class FilesOut(Out):
    """The files of a Mosquitto: `passwords` (password_file), `rights` (acl_file).

    And `authorities.pem` (cafile), where the organization has device authorities.
    """

    files: list[PieceOut]


class SetupOut(Out):
    """What to write into the broker's configuration, with a placeholder for its token."""

    pieces: list[PieceOut]


class ShownTokenOut(BrokerOut):
    """A broker with its token, which is shown this once, and its configuration."""

    token: str
    pieces: list[PieceOut]
