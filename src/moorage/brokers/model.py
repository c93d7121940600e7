"""Brokers in front: those that devices connect to in place of the platform's own door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from moorage.sources import BrokerKind, Version


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that asks the platform who its clients are and what they may.

    Attributes:
        organization_id: whose devices it serves; None for those of everybody.
        certified: it checks client certificates, so that whoever it names without a password is
            known by his device's id.
        url: where a NATS server is, which the platform connects to so as to be asked; or where the
            management of RabbitMQ is, which is asked who is there.
        issuer: the public account key whose signature that believes.
        hint: the end of its token.
        expires_at: when its token stops working; None for never.
        previous_until: how long the token before works as well.
        asked_at: when it last asked, give or take ten seconds.
        source_id: what fetches its messages; None: nothing yet.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    kind: BrokerKind
    certified: bool
    url: str | None
    issuer: str | None
    hint: str
    expires_at: datetime | None
    previous_until: datetime | None
    asked_at: datetime | None
    source_id: UUID | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewBroker:
    """What makes a broker."""

    organization_id: UUID | None
    name: str
    kind: BrokerKind
    certified: bool = False
    expires_at: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """How the platform reaches a broker; the fields are those of a source.

    Attributes:
        version: None for the best that the broker speaks.
    """

    url: str
    version: Version | None
    client_id: str
    user_name: str
    keep_alive_s: int
    authority: str | None
    client_certificate: str | None
    connections: int
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A broker with its token, this one time."""

    broker: Broker
    token: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A broker as the door knows it.

    Attributes:
        digests: of each token that works, until when; None for without end.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    kind: BrokerKind
    certified: bool
    digests: tuple[tuple[bytes, datetime | None], ...]


@dataclass(frozen=True, slots=True)
class Callout:
    """What being asked by a NATS server takes."""

    broker: Registered
    url: str
    sealed_secrets: bytes
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """What asking a broker who is there takes.

    Attributes:
        url: of its system account (NATS) or its management (RabbitMQ).
        sealed_secrets: of NATS.
        source_id: what fetches its messages, and knows the password of RabbitMQ.
        changed_at: of the broker and of what fetches from it.
    """

    broker: Registered
    url: str
    sealed_secrets: bytes | None
    source_id: UUID | None
    changed_at: tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a broker's configuration.

    Attributes:
        name: where it belongs, such as a file.
        text: what to put there.
    """

    name: str
    text: str
