"""A host for doors that keeps everything in memory, for tests of transports alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from moorage.devices import DeviceState
from moorage.plugin import (
    Command,
    Credentials,
    Done,
    Ending,
    Found,
    KeptSession,
    Kind,
    Listener,
    Measured,
    MoorageError,
    Presence,
    Print,
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
    print_of,
    uuid7,
)


class NobodyKnown(MoorageError):
    """No device has these credentials."""

    kind = Kind.UNSIGNED
    code = "tests.nobody_known"
    message = "No device has these credentials."


class StoreDown(MoorageError):
    """The store does not answer."""

    kind = Kind.UNAVAILABLE
    code = "tests.store_down"
    message = "The store does not answer."


class MemoryHost:
    """Knows devices by user name and password; its ledger is a list.

    `commit_s` is how long a commit takes; `failing` makes commits and look-ups fail as a store does
    that is down, `broken` look-ups as nobody foresees.
    """

    def __init__(self, commit_s: float = 0.002) -> None:
        self.commit_s = commit_s
        self.failing = False
        self.broken = False
        self.disk_full = False
        self.overloaded = False
        self.stored: list[RawMessage] = []
        self.keep_s = 0.002
        self.sessions: dict[tuple[int, str], KeptSession] = {}
        self.retained: dict[tuple[int, str], RetainedMessage] = {}
        self.at_home: set[int] = set()
        self.refusals: list[Refusal] = []
        self.presences: list[Presence] = []
        self.looked_up = 0
        self.shed_for: list[str] = []
        self.wait_s = 0.0
        self.crowded: Wait | None = None
        self.inside = 0
        self.queue: tuple[int, int] | None = None
        self.asked_for_commands = 0
        self.took: list[UUID] = []
        self._relieved: list[Callable[[], None]] = []
        self.senders: dict[str, Sender] = {}
        self.behind: dict[str, Sender] = {}
        self.connected: Callable[[], Sequence[int]] = list
        self.deliver: Callable[[Command], bool] = lambda _command: False
        self.cut: Callable[[Sequence[int]], None] = lambda _devices: None
        self.lost: Callable[[Sequence[int]], None] = lambda _devices: None
        self.due: Callable[[Sequence[int]], None] = lambda _devices: None
        self.listener_id: UUID | None = uuid7()
        self.measure: Callable[[Collection[int]], Sequence[Measured]] = lambda _devices: ()
        self.trace: Callable[[Mapping[int, frozenset[str]]], None] = lambda _traced: None
        self.packets: list[tuple[int, TracedPacket]] = []

    def add_device(self, username: str) -> Sender:
        """Let a device in; its password is its user name backwards."""
        organization = UUID(int=1)
        number = len(self.senders) + 1
        sender = Sender(
            number, uuid7(), organization, UUID(int=2), UUID(int=number), 1, DeviceState.ACTIVE,
        )  # fmt: skip
        self.senders[username] = sender
        return sender

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.stored]

    def relieve(self) -> None:
        self.overloaded = False
        calls, self._relieved = self._relieved, []
        for call in calls:
            call()

    def space_of(self, sender: Sender, topic_filter: str) -> UUID | None:
        return None

    def shown_topic(self, uplink: Uplink, topic: str) -> str | None:
        return None

    def is_command(self, topic: str) -> bool:
        return False

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        raise NobodyKnown

    async def identify(self, credentials: Credentials) -> Sender | Service:
        await asyncio.sleep(0)
        if self.broken:
            raise RuntimeError("Nobody has foreseen this.")
        if self.failing:
            raise StoreDown
        name = credentials.username or ""
        if name not in self.senders or credentials.password != name[::-1].encode():
            raise NobodyKnown
        return self.senders[name]

    async def sender_of(self, device: int) -> Sender | None:
        await asyncio.sleep(0)
        if self.failing:
            raise StoreDown
        return next((one for one in self.senders.values() if one.number == device), None)

    def children(self, sender: Sender) -> Mapping[str, Sender]:
        return self.behind if sender.is_gateway else {}

    def uplink(self, sender: Sender | Service, topic: str) -> Uplink | None:
        head, _, channel = topic.partition("v1/up")
        return None if head or topic == head else Uplink(sender.number, channel.lstrip("/"))

    def may_subscribe(self, sender: Sender | Service, topic_filter: str) -> bool:
        if isinstance(sender, Service):
            return False
        if sender.is_gateway and topic_filter.startswith("v1/devices/+/"):
            return True
        return topic_filter.startswith(
            ("v1/op/", "v1/up", "v1/time", "v1/twin/desired", f"v1/devices/{sender.device_id}/")
        )

    def enter(self, sender: Sender | Service) -> Wait | None:
        if self.crowded is None:
            self.inside += 1
        return self.crowded

    def queue_of(self, sender: Sender | Service) -> tuple[int, int] | None:
        return self.queue

    def leave(self, sender: Sender | Service) -> None:
        self.inside -= 1

    def admit(self, device: int, count: int, size: int, *, answer: bool = False) -> Wait | None:
        return Wait("device's", "messages a second", 1.0, self.wait_s) if self.wait_s else None

    def shed(self, reason: str, count: int = 1) -> None:
        self.shed_for.append(reason)

    def look_for_commands(self) -> None:
        self.asked_for_commands += 1

    def taken(self, command_id: UUID) -> None:
        self.took.append(command_id)

    def accept(self, messages: Sequence[RawMessage], done: Done) -> None:
        asyncio.get_running_loop().call_later(self.commit_s, self._commit, messages, done)

    def _commit(self, messages: Sequence[RawMessage], done: Done) -> None:
        if self.failing:
            return done(StoreDown())
        self.stored += messages
        return done(None)

    def refuses(self, channel: str) -> bool:
        return self.disk_full and not channel.startswith("op/")

    async def stored_lately(self, device: int) -> set[Print]:
        await asyncio.sleep(0)
        self.looked_up += 1
        if self.broken:
            raise RuntimeError("Nobody has foreseen this.")
        if self.failing:
            raise StoreDown
        return {print_of(one) for one in self.stored if one.device == device}

    def keep(
        self,
        kept: Sequence[KeptSession],
        retained: Sequence[RetainedMessage],
        shared: Sequence[SharedMessage],
        done: Done,
    ) -> None:
        asyncio.get_running_loop().call_later(self.keep_s, self._keep, kept, retained, done)

    def _keep(
        self, kept: Sequence[KeptSession], retained: Sequence[RetainedMessage], done: Done
    ) -> None:
        for one in kept:
            self.sessions.pop((one.number, one.client_id), None)
            if one.state is not None:
                self.sessions[one.number, one.client_id] = one
        for message in retained:
            self.retained.pop((message.number, message.topic), None)
            if message.message is not None:
                self.retained[message.number, message.topic] = message
        done(None)

    async def find_again(self, device: int) -> Found:
        await asyncio.sleep(0)
        if self.failing:
            raise StoreDown
        self.at_home.add(device)
        return Found(
            [one for one in self.sessions.values() if one.number == device],
            [one for one in self.retained.values() if one.number == device],
        )

    async def shared_since(
        self, applications: Collection[UUID], heard: Mapping[UUID, int]
    ) -> Shared:
        return Shared((), ())

    def let_move(self, device: int) -> None:
        self.at_home.discard(device)

    def meet(self) -> None:
        pass

    async def bury(self, listener_id: UUID, *, refused: bool) -> bool:
        return True

    def when_relieved(self, call: Callable[[], None]) -> None:
        self._relieved.append(call)

    def refused(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def present(self, event: Presence) -> None:
        self.presences.append(event)

    def observe(
        self,
        measure: Callable[[Collection[int], bool], Sequence[Measured]],
        trace: Callable[[Mapping[int, frozenset[str]]], None],
        end: Callable[[Ending], None],
    ) -> None:
        self.measure, self.trace, self.end = measure, trace, end

    def show(self, is_wanted: Callable[[], bool], show: Callable[[Sequence[Shown]], None]) -> None:
        self.is_wanted, self.show_others = is_wanted, show

    async def shows(self) -> None:
        pass

    def traced(self, device: int, packet: TracedPacket) -> None:
        self.packets.append((device, packet))

    def follow(
        self,
        connected: Callable[[], Sequence[int]],
        deliver: Callable[[Command], bool],
        cut: Callable[[Sequence[int]], None],
        lost: Callable[[Sequence[int]], None],
        due: Callable[[Sequence[int]], None],
        met: Callable[[Sequence[Listener], bool], int],
    ) -> None:
        self.connected, self.deliver, self.cut = connected, deliver, cut
        self.lost, self.due = lost, due
