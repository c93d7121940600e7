"""What a transport is, and what it is given."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Protocol
from uuid import UUID

from moorage.devices import Proof, Sender
from moorage.kit.caller import Caller
from moorage.kit.text import storable
from moorage.ledger import RawMessage
from moorage.sessions import (
    Ending,
    Figures,
    KeptSession,
    Listener,
    Measured,
    PassedMessage,
    RetainedMessage,
    SharedMessage,
    Terms,
    TracedPacket,
)

Done = Callable[[Exception | None], None]
# What a repeated PUBLISH has in common with its first: packet identifier, channel, payload.
Print = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody at a door says of himself.

    Attributes:
        username, password: as MQTT CONNECT or HTTP Basic carry them; a token may stand in either.
        client_id: the MQTT client identifier, or empty.
        address: the peer's address, for the list of refusals.
        protocol: such as `mqtt` or `http`.
        tls: whether the connection is encrypted.
        certificate: the client's, as DER, if it proved in its handshake to hold the key: to the
            door, or to a proxy that is believed; or empty.
        dev_eui: the device that a LoRaWAN server speaks for; the secret is then its gateway's or
            its application's.
    """

    username: str | None
    password: bytes | None
    client_id: str = ""
    address: str = ""
    protocol: str = "mqtt"
    tls: bool = False
    dev_eui: str = ""
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something a door turned away; counted and listed.

    Attributes:
        reason: `credentials`, `topic`, `oversize`, `malformed`, `rate`, `overload`, `disk`,
            `no-tls` (on the port that is for TLS), `tls-on-plain`, `tls` (its handshake failed),
            `proxy` (a header of a proxy that is missing, wrong or nobody's to send).
        detail: one sentence for the person who connects the device; never a secret.
        hint: user name, client id or topic seen.
    """

    reason: str
    detail: str
    protocol: str
    address: str = ""
    hint: str = ""
    device: int | None = None

    def __post_init__(self) -> None:
        # What a stranger calls himself may be text that cannot be kept.
        object.__setattr__(self, "hint", storable(self.hint))


@dataclass(frozen=True, slots=True)
class Service:
    """A person's or an organisation's program that signed in with an API key.

    Attributes:
        number: names it in this process; below zero, so that it is no device's.
        caller: who it is, with its rights.
        reads, operates: the applications whose messages it may read, whose devices it may operate.
        reads_own, operates_own: beside these its person's own devices, each with its application.
        valid_until: when its key stops working by itself; None for never.
        is_operator: it may manage the installation, and so hear of the listener itself (`$SYS`).
    """

    number: int
    caller: Caller
    reads: frozenset[UUID] = frozenset()
    operates: frozenset[UUID] = frozenset()
    reads_own: frozenset[tuple[UUID, UUID]] = frozenset()
    operates_own: frozenset[tuple[UUID, UUID]] = frozenset()
    valid_until: datetime | None = None
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class Uplink:
    """Where a publish goes: the device it speaks for, and the channel of its message.

    Attributes:
        device: in the message path, or the number of a service.
        channel: of the message.
        is_answer: it ends an operation: such messages are taken as long as there is room at all
            (see `Host.admit`).
        is_kept: it enters the ledger; else it is passed on only.
        space: the application whose topics it belongs to; None for the device's own.
        topic: how it is called there; empty if as it was published.
    """

    device: int
    channel: str
    is_answer: bool = False
    is_kept: bool = True
    space: UUID | None = None
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message that came by another door, as programs see it.

    Attributes:
        topic: by which they know it.
        payload: as received; of several in one call, the part that is this message.
        content_type: as the device gave it, or empty.
        port: that it is for, if any.
        device_us: the device's own time, if it gave one, in microseconds since 1970.
    """

    topic: str
    payload: bytes
    content_type: str = ""
    port: int | None = None
    device_us: int | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """A connection of a device, or of a program with an API key, came or went.

    `cause` of a disconnect: `client`, `keep-alive`, `lost`, `taken-over`, `revoked`, `protocol`,
    `overload`, `shutdown`, `fault`, `ended`. `terms` are known of one that came, `figures` of one
    that went. `key_id` is None of a device; else `device` says nothing.
    """

    device: int
    connected: bool
    at_us: int
    client_id: str = ""
    protocol: str = "mqtt"
    version: str = ""
    address: str = ""
    tls: bool = False
    cause: str = ""
    terms: Terms | None = None
    figures: Figures | None = None
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a device finds again when it comes back; or the other listener that it is at home at."""

    sessions: Sequence[KeptSession]
    retained: Sequence[RetainedMessage]
    elsewhere: Listener | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What devices of applications have shared.

    Attributes:
        passed: by listener, each one's in its order.
        retained: with the application whose topic it is.
    """

    passed: Sequence[PassedMessage]
    retained: Sequence[tuple[UUID, bytes]]


@dataclass(frozen=True, slots=True)
class Wait:
    """An allowance is used up.

    Attributes:
        whose: such as `device's`, `application's`, `organization's`.
        unit: such as `messages a second` or `series`.
        most: how many of them are allowed.
        seconds: until there is room again, or it is measured anew.
    """

    whose: str
    unit: str
    most: float
    seconds: float

    def __str__(self) -> str:
        return f"The {self.whose} allowance of {self.most:.12g} {self.unit} is used up."


@dataclass(frozen=True, slots=True)
class Command:
    """An operation on its way down to one device; published to `v1/op/{id}`.

    `meta` has `content_type`: `application/json`, or `application/octet-stream` for what the
    device's decoder encoded; and `port`, where it is meant for one.
    `gateway` speaks for the device here, and takes the command at
    `v1/devices/{device_id}/op/{id}`; None where nobody does.
    """

    device: int
    device_id: UUID
    id: UUID
    payload: bytes
    meta: dict[str, Any] = field(default_factory=dict)
    gateway: int | None = None


class Host(Protocol):
    """All that a transport holds of the platform."""

    async def identify(self, credentials: Credentials) -> Sender | Service:
        """Recognise a device, or a service by its API key.

        Raises:
            SenderUnknown: nobody we know (already counted and listed).
            CertificateRefused: the client's certificate lets nobody in (listed as well).
            TooManyAttempts: too many wrong credentials came from this address (listed as well).
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    async def proof(self, credentials: Credentials, user_name: str) -> Proof:
        """Give what the password of a user name is proved by; a decoy if nobody has that name.

        Raises:
            TooManyAttempts: too many wrong credentials came from this address (listed as well).
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    async def proved(self, credentials: Credentials, proof: Proof) -> Sender:
        """Recognise the device whose password the client has just proved.

        Raises:
            SenderUnknown: its credential holds no more (already counted and listed).
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    def disproved(self, credentials: Credentials) -> None:
        """Count and list that a client did not prove the password."""
        ...

    async def sender_of(self, device: int) -> Sender | None:
        """Give a device with its rights as they are now; None if it may send nothing any more.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    def uplink(self, sender: Sender | Service, topic: str) -> Uplink | None:
        """Tell where a publish to `topic` goes; None if the sender may not publish there."""
        ...

    def may_subscribe(self, sender: Sender | Service, topic_filter: str) -> bool:
        """Tell whether the sender may subscribe to the filter."""
        ...

    def space_of(self, sender: Sender, topic_filter: str) -> UUID | None:
        """Tell whose topics a filter is about: the application's, or None for the device's own."""
        ...

    def shown_topic(self, uplink: Uplink, topic: str) -> str | None:
        """Give the topic by which services know a message; None if its device has just gone.

        Args:
            uplink: where it goes.
            topic: what it was published to.
        """
        ...

    def show(self, is_wanted: Callable[[], bool], show: Callable[[Sequence[Shown]], None]) -> None:
        """Hand over how messages that come by other doors are shown to programs.

        Args:
            is_wanted: tells whether any program subscribes, here or elsewhere.
            show: is given messages, at one listener of all, of each device in the order in which
                they were stored.
        """
        ...

    async def shows(self) -> None:
        """Wait until all that is stored from now on will be shown, at whichever listener."""
        ...

    def is_command(self, topic: str) -> bool:
        """Tell whether what a service publishes to `topic` is asked of a device (see `ask`)."""
        ...

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        """Ask something of a device for a service; it is kept when this returns.

        Raises:
            TopicRefused: the service may not, or there is no such device.
            CommandMalformed: the payload says nothing that can be asked.
            MoorageError: the device does not take it now.
        """
        ...

    def children(self, sender: Sender) -> Mapping[str, Sender]:
        """Give whom the sender may speak for besides itself, by id; the same value till it changes.

        Whoever loses a child is cut.
        """
        ...

    def enter(self, sender: Sender | Service) -> Wait | None:
        """Count a connection in; None if it may come. Whoever came in has to `leave`."""
        ...

    def queue_of(self, sender: Sender | Service) -> tuple[int, int] | None:
        """Give how many messages may wait for a session, and their bytes; None for the door's own.

        Asked when a connection is let in; its session keeps to that until the next.
        """
        ...

    def leave(self, sender: Sender | Service) -> None:
        """Count a connection out."""
        ...

    def admit(self, device: int, count: int, size: int, *, answer: bool = False) -> Wait | None:
        """Take messages of together `size` bytes from what a device may send; None if it may.

        Its application and its organisation may have quotas too; these do not concern answers to
        operations, which have an allowance of their own.
        """
        ...

    def shed(self, reason: str, count: int = 1) -> None:
        """Count messages that are not stored: `rate`, `overload`, `disk`, `repeat`."""
        ...

    def accept(self, messages: Sequence[RawMessage], done: Done) -> None:
        """Put messages into the ledger; `done(None)` follows the durable commit.

        `done(error)` means nothing of it is known to be stored: do not acknowledge. It is called
        in the event loop's thread, once, in the order of the calls.
        """
        ...

    def refuses(self, channel: str) -> bool:
        """Tell whether messages of a channel are refused because the disk is nearly full."""
        ...

    async def stored_lately(self, device: int) -> Collection[Print]:
        """Give the prints of a device's last entries, to recognise an MQTT PUBLISH with DUP.

        All that was accepted before the call is among them.

        Raises:
            DatabaseUnavailable, LedgerUnavailable: it cannot be told just now.
        """
        ...

    @property
    def overloaded(self) -> bool:
        """Tell whether doors should stop reading for now."""
        ...

    def when_relieved(self, call: Callable[[], None]) -> None:
        """Call once the load is down again."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """Count and list what was turned away."""
        ...

    def keep(
        self,
        kept: Sequence[KeptSession],
        retained: Sequence[RetainedMessage],
        shared: Sequence[SharedMessage],
        done: Done,
    ) -> None:
        """Keep sessions and messages; `done(None)` follows the durable commit of all of them.

        While the database is away it waits. `done(error)` means that nothing was kept. For a device
        that is at home elsewhere by now nothing is kept; the door is told so (`follow`) before.
        """
        ...

    async def find_again(self, device: int) -> Found:
        """Make this door the home of a device, and give what was kept for it and has not expired.

        All asked for before is in it. It stays at home here until `let_move`; if it is at home
        elsewhere, that is given instead.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    async def shared_since(
        self, applications: Collection[UUID], heard: Mapping[UUID, int]
    ) -> Shared:
        """Read what devices of applications shared lately, after the last place heard of each door.

        All asked for before is in it. It may be more than what was asked for.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    def let_move(self, device: int) -> None:
        """Let a device be at home elsewhere, once all that was asked for before is kept."""
        ...

    @property
    def listener_id(self) -> UUID | None:
        """Give by which id other listeners know this one; None before they do."""
        ...

    def meet(self) -> None:
        """Look at once for other listeners: one that has just begun to live has called."""
        ...

    async def bury(self, listener_id: UUID, *, refused: bool) -> bool:
        """Give up another listener that could not be reached, if it is dead; tell whether it is.

        `refused` says that nobody listens at its address.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        ...

    def present(self, event: Presence) -> None:
        """Note that a device connected or disconnected; written in batches."""
        ...

    def observe(
        self,
        measure: Callable[[Collection[int], bool], Sequence[Measured]],
        trace: Callable[[Mapping[int, frozenset[str]]], None],
        end: Callable[[Ending], None],
    ) -> None:
        """Hand over what is asked about connections while they are open.

        Args:
            measure: gives the figures of devices' connections, and if it is told so, of those of
                all programs.
            trace: is given the devices whose packets are watched from now on, all of them, each
                with the names that it may call itself at CONNECT.
            end: ends a connection because somebody asks for it; not all are at this process.
        """
        ...

    def traced(self, device: int, packet: TracedPacket) -> None:
        """Show a packet to those who watch a device; dropped and counted if they are too many."""
        ...

    def look_for_commands(self) -> None:
        """Look for commands soon: a device has just become able to take them."""
        ...

    def taken(self, command_id: UUID) -> None:
        """Note that a device has acknowledged a command; else it is handed over again."""
        ...

    def follow(
        self,
        connected: Callable[[], Sequence[int]],
        deliver: Callable[[Command], bool],
        cut: Callable[[Sequence[int]], None],
        lost: Callable[[Sequence[int]], None],
        due: Callable[[Sequence[int]], None],
        met: Callable[[Sequence[Listener], bool], int],
    ) -> None:
        """Hand over what comes down.

        Args:
            connected: gives the numbers of the devices that can take commands now.
            deliver: takes a command; False if the device is gone meanwhile.
            cut: ends the connections of devices whose credentials or rights changed; they may
                come back if they still can.
            lost: ends the connections of devices that are at home elsewhere by now, and forgets
                what is known of them.
            due: is given devices to take up that are at home nowhere: they have a will to publish,
                or sessions that others may send something.
            met: is given the other listeners that live, every two seconds, and whether nobody is
                at home nowhere whom others may send something; gives how many of them are
                followed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Peers:
    """How listeners reach each other.

    Attributes:
        socket: bound and listening; at its address the others come.
        accepting: for the side that accepts.
        dialling: gives the context for the side that dials; both prove to each other that they
            belong to this installation.
    """

    socket: socket.socket
    accepting: ssl.SSLContext
    dialling: Callable[[], ssl.SSLContext]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a transport listens, and what it bears.

    Attributes:
        host, port: without encryption.
        tls_host, tls_port: encrypted, with `tls`.
        largest_message: in bytes.
        peers: how other listeners reach this one; None where there are none.
        trusted_proxies: who may say by the PROXY protocol which client it speaks for.
    """

    host: str
    port: int
    tls_host: str
    tls_port: int
    tls: ssl.SSLContext
    largest_message: int
    peers: Peers | None = None
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = ()


class TransportKind(Protocol):
    """A transport plugin: makes the door."""

    api_version: int

    def open(self, listening: Listening) -> Transport:
        """Make the door; it listens once it runs."""
        ...


class Transport(Protocol):
    """A door for one protocol."""

    name: str

    async def run(self, host: Host, ready: Callable[[], None]) -> None:
        """Serve until cancelled; call `ready` once listening. Raises OSError if it cannot listen.

        On cancellation it stops taking in, waits briefly for what is being committed, then closes.
        """
        ...
