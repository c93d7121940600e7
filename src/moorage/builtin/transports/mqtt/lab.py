"""Lab mode: the door as an open general broker, for conformance suites and load comparisons.

It listens on the loopback only and keeps everything in memory. Whoever comes is let in, and all see
the same topics.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import ip_address
from uuid import UUID

import structlog

from moorage.plugin import (
    Command,
    Credentials,
    Done,
    Ending,
    Found,
    KeptSession,
    Kind,
    Listener,
    Listening,
    Measured,
    MoorageError,
    Presence,
    Print,
    Proof,
    RawMessage,
    Refusal,
    RetainedMessage,
    Sender,
    Service,
    Shared,
    SharedMessage,
    Shown,
    TracedPacket,
    Uplink,
    Wait,
)
from moorage_mqtt import Bounds, Copies, Limits

from .sessions import EVERYBODY
from .settings import DoorSettings
from .transport import MqttDoor

log = structlog.get_logger()

# Suites subscribe to it to see a refusal; it is Eclipse Paho's name for such a topic.
REFUSED_FILTER = "test/nosubscribe"

_LIMITS = Limits(
    packet_bytes=1_048_576,
    first_packet_bytes=131_072,
    receive_maximum=1_000,
    send_maximum=1_000,
    queue_messages=10_000,
    queue_bytes=33_554_432,
    topic_alias_maximum=100,
    send_aliases=100,
    keep_alive_s=60,
)
_BOUNDS = Bounds(
    sessions=100_000,
    subscriptions=65_536,
    retained_messages=100_000,
    retained_bytes=268_435_456,
    levels=1_000,
)
_EVERYBODY = Sender(EVERYBODY, UUID(int=0), UUID(int=0), UUID(int=0), UUID(int=0), 0)


class NotLoopback(MoorageError):
    """Lab mode would be open to the network."""

    kind = Kind.INVALID
    code = "lab.not_loopback"
    message = "Lab mode lets everybody in, so it listens on the loopback only, not on {host}."


class NoPasswords(MoorageError):
    """Nobody has a password here that could be proved."""

    kind = Kind.UNSIGNED
    code = "lab.no_passwords"
    message = "In lab mode anybody is let in; there are no passwords that could be proved."


def open_lab(listening: Listening, websocket_port: int, merges: bool = True) -> MqttDoor:
    """Make the door of lab mode; it runs with an `OpenHost`.

    Args:
        listening: where, on the loopback.
        websocket_port: the same as on its `port`, for those who expect WebSocket on one of its own.
        merges: whether a client's filters that overlap give one copy of a message; else each its
            own.

    Raises:
        NotLoopback: an address is not of the loopback.
    """
    for one in (*listening.host.split(","), *listening.tls_host.split(",")):
        if one != "localhost" and not _is_loopback(one):
            raise NotLoopback(host=one)
    return MqttDoor(
        DoorSettings(
            listening.host,
            listening.port,
            listening.tls_host,
            listening.tls_port,
            listening.tls,
            websocket_port=websocket_port,
            limits=_LIMITS,
            bounds=_BOUNDS,
            connections=100_000,
            is_open=True,
            copies=Copies.ONE if merges else Copies.EACH,
        )
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class OpenHost:
    """A host that knows no device and stores nothing: everybody is the same sender."""

    overloaded = False
    listener_id: UUID | None = None

    async def identify(self, credentials: Credentials) -> Sender:
        """Let everybody in."""
        return _EVERYBODY

    async def proof(self, credentials: Credentials, user_name: str) -> Proof:
        """Know no passwords. Raises NoPasswords."""
        raise NoPasswords

    async def proved(self, credentials: Credentials, proof: Proof) -> Sender:
        """Know no passwords. Raises NoPasswords."""
        raise NoPasswords

    def disproved(self, credentials: Credentials) -> None:
        """Forget it: nobody is refused here."""

    async def sender_of(self, device: int) -> Sender | None:
        """Know one sender only."""
        return _EVERYBODY

    def uplink(self, sender: Sender | Service, topic: str) -> Uplink | None:
        """Say that nothing goes to a ledger."""
        return None

    def may_subscribe(self, sender: Sender | Service, topic_filter: str) -> bool:
        """Allow every filter but the one that suites expect to be refused."""
        return topic_filter != REFUSED_FILTER

    def space_of(self, sender: Sender, topic_filter: str) -> UUID | None:
        """Know one space only."""
        return None

    def shown_topic(self, uplink: Uplink, topic: str) -> str | None:
        """Know no services."""
        return None

    def is_command(self, topic: str) -> bool:
        """Know no commands."""
        return False

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        """Know nobody to be asked."""

    def children(self, sender: Sender) -> Mapping[str, Sender]:
        """Say that nobody speaks for others."""
        return {}

    def enter(self, sender: Sender | Service) -> Wait | None:
        """Allow any number of connections."""
        return None

    def queue_of(self, sender: Sender | Service) -> tuple[int, int] | None:
        """Leave it to the limits of lab mode."""
        return None

    def leave(self, sender: Sender | Service) -> None:
        """Keep no count."""

    def admit(self, device: int, count: int, size: int, *, answer: bool = False) -> Wait | None:
        """Allow any rate."""
        return None

    def shed(self, reason: str, count: int = 1) -> None:
        """Keep no count."""

    def accept(self, messages: Sequence[RawMessage], done: Done) -> None:
        """Confirm at once: nothing is an uplink here, so nothing comes."""
        done(None)

    def refuses(self, channel: str) -> bool:
        """Say that there is room."""
        return False

    async def stored_lately(self, device: int) -> Collection[Print]:
        """Say that nothing is stored."""
        return ()

    def when_relieved(self, call: Callable[[], None]) -> None:
        """Never be overloaded."""

    def keep(
        self,
        kept: Sequence[KeptSession],
        retained: Sequence[RetainedMessage],
        shared: Sequence[SharedMessage],
        done: Done,
    ) -> None:
        """Keep nothing."""
        done(None)

    async def find_again(self, device: int) -> Found:
        """Find nothing."""
        return Found([], [])

    async def shared_since(
        self, applications: Collection[UUID], heard: Mapping[UUID, int]
    ) -> Shared:
        """Find nothing."""
        return Shared((), ())

    def let_move(self, device: int) -> None:
        """Be the only one."""

    def meet(self) -> None:
        """Know no other."""

    async def bury(self, listener_id: UUID, *, refused: bool) -> bool:
        """Know no other."""
        return True

    def refused(self, refusal: Refusal) -> None:
        """Log what was turned away."""
        log.info("refused", reason=refusal.reason, detail=refusal.detail, address=refusal.address)

    def present(self, event: Presence) -> None:
        """Keep no presence."""

    def observe(
        self,
        measure: Callable[[Collection[int], bool], Sequence[Measured]],
        trace: Callable[[Mapping[int, frozenset[str]]], None],
        end: Callable[[Ending], None],
    ) -> None:
        """Ask nothing about connections."""

    def traced(self, device: int, packet: TracedPacket) -> None:
        """Show packets to nobody."""

    def show(self, is_wanted: Callable[[], bool], show: Callable[[Sequence[Shown]], None]) -> None:
        """Have no other doors."""

    async def shows(self) -> None:
        """Have no other doors."""

    def look_for_commands(self) -> None:
        """Have no commands."""

    def taken(self, command_id: UUID) -> None:
        """Have no commands."""

    def follow(
        self,
        connected: Callable[[], Sequence[int]],
        deliver: Callable[[Command], bool],
        cut: Callable[[Sequence[int]], None],
        lost: Callable[[Sequence[int]], None],
        due: Callable[[Sequence[int]], None],
        met: Callable[[Sequence[Listener], bool], int],
    ) -> None:
        """Have nothing to hand over."""
