"""Sources: brokers of organisations that messages are fetched from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from moorage.devices import CalledBy, Naming

MASKED = "***"
# A source whose holder has been silent for so long is held by nobody.
LOST_AFTER = timedelta(seconds=30)
# Connections by which the messages of one broker in front are fetched.
MOST_CONNECTIONS = 16
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class BrokerKind(StrEnum):
    """What software a broker in front is, and so in which words it speaks of its clients."""

    MOSQUITTO = "mosquitto"
    GO_AUTH = "mosquitto-go-auth"
    EMQX = "emqx"
    VERNEMQ = "vernemq"
    RABBITMQ = "rabbitmq"
    NATS = "nats"


# Those that share a subscription among clients (`$share/...`); RabbitMQ and NATS do not.
SHARING = frozenset((BrokerKind.MOSQUITTO, BrokerKind.GO_AUTH, BrokerKind.EMQX, BrokerKind.VERNEMQ))


class Version(StrEnum):
    """A version of MQTT."""

    V5 = "5"
    V311 = "3.1.1"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is subscribed to, and how its messages say which device they are of.

    Attributes:
        topic: a topic filter in which levels may hold the places `{device}`, `{channel}` and
            `{port}`.
        qos: 0, 1 or 2.
        device: of which device all messages are, where the topic does not tell.
        pointer: JSON Pointer (RFC 6901) to the device within the payload, where that tells.
    """

    topic: str
    qos: int = 1
    device: str | None = None
    pointer: str | None = None


# What devices send at a broker in front: the topics of the platform's own door, written out.
UPLINK = Subscription("v1/devices/{device}/up/#")
FRONT = (
    UPLINK,
    Subscription("v1/devices/{device}/twin/reported"),
    Subscription("v1/devices/{device}/op/+/result"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is."""

    host: str
    port: int
    tls: bool
    websocket: bool
    path: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL: `mqtt://`, `mqtts://`, `ws://` or `wss://`.

        Raises:
            ValueError: it is none, or holds what does not belong there; the text says what.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError("must begin with mqtt://, mqtts://, ws:// or wss://")
        if not parts.hostname or any(not "!" <= c <= "~" for c in url):
            raise ValueError("must name a host, without blanks and in ASCII (RFC 3986)")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not carry user and password; they have fields of their own")
        if parts.query or parts.fragment:
            raise ValueError("must have no query and no fragment")
        websocket = parts.scheme.startswith("ws")
        if parts.path not in ("", "/") and not websocket:
            raise ValueError("has a path only with ws:// and wss://")
        port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
        if not port:
            raise ValueError("must have a port from 1 to 65535")
        tls = parts.scheme in ("mqtts", "wss")
        return cls(parts.hostname, port, tls, websocket, parts.path or "/mqtt")


class State(StrEnum):
    """How a source fares; `idle` is one that nobody holds, or that is paused."""

    IDLE = "idle"
    CONNECTED = "connected"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Health:
    """How a source fares, as its holder last saw it.

    Attributes:
        error: why it fails; of one that is connected, what the broker refuses.
        retry_at: when it is tried next.
        last_message_at: when a message last came, taken in or not.
        taken, repeated, refused: messages ever; one PUBLISH may carry several.
    """

    state: State = State.IDLE
    since: datetime | None = None
    connected_at: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""
    retry_at: datetime | None = None
    last_message_at: datetime | None = None
    taken: int = 0
    repeated: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A broker, and what of its messages is taken.

    Attributes:
        organization_id: whose devices it speaks for; None for those of everybody.
        broker_id: the broker in front that it is, where it is one.
        front: what software that is; its topics are those of the platform's own door, and commands
            go down through it.
        url: see `Address`.
        client_id: empty for one of the source's own.
        authority: PEM of the authorities trusted instead of the system's.
        client_certificate: PEM of our certificate and its chain.
        secrets: the names of the secrets that are set: `password`, `clientKey`.
        inbox_id: the application where senders nobody knows wait; None refuses them.
        connections: by how many its messages are fetched, each by any process that listens.
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
    subscriptions: tuple[Subscription, ...]
    called_by: CalledBy
    identifier_kind: str
    inbox_id: UUID | None
    connections: int
    secrets: tuple[str, ...]
    paused: bool
    health: Health
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    @property
    def naming(self) -> Naming:
        """How its topics call devices."""
        return Naming(
            self.id, self.organization_id, self.called_by, self.identifier_kind, self.inbox_id
        )


@dataclass(frozen=True, slots=True)
class NewSource:
    """What makes a source; `secrets` in plain text, to be sealed.

    One of a broker in front has the subscriptions of `FRONT`.
    """

    organization_id: UUID | None
    name: str
    url: str
    subscriptions: tuple[Subscription, ...]
    version: Version = Version.V5
    client_id: str = ""
    user_name: str = ""
    keep_alive_s: int = 60
    authority: str | None = None
    client_certificate: str | None = None
    called_by: CalledBy = CalledBy.ID
    identifier_kind: str = ""
    inbox_id: UUID | None = None
    broker_id: UUID | None = None
    front: BrokerKind | None = None
    connections: int = 1
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Share(NamedTuple):
    """One of the connections of a source; number 0 is the one that most have alone."""

    source_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """What the broker keeps for us on one connection, as far as we know.

    Attributes:
        number: tells this session's packet identifiers from those of others; 0 for none yet.
        subscribed: topic filters with their QoS.
    """

    number: int = 0
    subscribed: Mapping[str, int] = field(default_factory=dict)


class Outcome(StrEnum):
    """What became of a message."""

    TAKEN = "taken"
    REPEATED = "repeated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message, as the source's log shows it.

    Attributes:
        size: bytes of its payload.
        detail: why it was refused; never a secret.
        excerpt: how the payload of a refused message begins.
    """

    n: int
    at: datetime
    outcome: Outcome
    topic: str
    device_id: UUID | None
    size: int
    detail: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What the broker said to a subscription; `qos` is None if it refused it."""

    topic: str
    qos: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A message that came during a test, and what would become of it."""

    topic: str
    outcome: Outcome
    device: str
    channel: str
    port: int | None
    detail: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test of a broker went.

    Attributes:
        connected: whether the broker let us in.
        detail: how it went, in a sentence.
        latency_ms: until the broker had let us in, or had not.
    """

    connected: bool
    detail: str
    latency_ms: float
    subscriptions: tuple[Granted, ...] = ()
    samples: tuple[Sample, ...] = ()
