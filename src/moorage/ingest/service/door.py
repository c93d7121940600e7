"""What every door holds of the platform: who sends, where to, and the way into the ledger."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from functools import partial
from math import ceil
from uuid import UUID

import structlog

from moorage import devices, ledger
from moorage.kit.db import Database
from moorage.kit.decisions import DecisionPoint
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.organizations import QUOTAS_CHANNEL
from moorage.sections import IngestSettings

from ..errors import DiskFull, Overloaded, TooFast
from ..ports import (
    Command,
    Credentials,
    Done,
    Presence,
    Refusal,
    Service,
    Uplink,
    Wait,
)
from . import topics
from .allowance import Allowance
from .down import Down
from .keeping import Keeping
from .limits import DeviceLimits
from .living import Living
from .notes import Notes
from .observing import Observing
from .quotas import Quotas
from .room import Room
from .senders import Senders
from .services import Services, secret_of
from .showing import Showing
from .topics import is_answer
from .writing import Writing, settle

log = structlog.get_logger()

WRITE_EVERY_S = 0.25
LONGEST_COMMIT_S = 10.0
DISK_FULL_WAIT_S = 30
# Answers to operations, of a device: more than it may have open operations at once.
ANSWER_RATE, ANSWER_BURST = 20, 200


class Door:
    """The `Host` of every transport in one process.

    What is turned away, and who comes and goes, is gathered and written four times a second.
    """

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        settings: IngestSettings,
        partitions: int,
        *,
        name: str | None = None,
        address: str | None = None,
        version: str = "",
        room: Room | None = None,
        decoy_key: bytes = b"",
        decisions: DecisionPoint | None = None,
    ) -> None:
        """Make the host of a process's transports.

        Args:
            database: of the platform.
            doorbells: of this process.
            settings: limits of devices.
            partitions: of the ledger.
            name: by which it lives as a listener, such as `host:1883`; None where it is none.
            address: where other listeners reach this one, as `host:port`.
            version: of the platform.
            room: on the disk.
            decoy_key: the same in every process of the installation; where nobody proves a
                password, none.
            decisions: permits what programs do, besides their rights; None asks nobody.
        """
        self._database = database
        self.settings = settings
        self._writing = Writing(database, partitions, partial(self.shed, "repeat"))
        self.stored_lately = self._writing.stored_lately
        self.when_relieved = self._writing.when_relieved
        self._down = Down(database, self._gateway_of)
        self.follow = self._down.follow
        self.look_for_commands = self._down.look
        self.take_commands = self._down.take
        self._services = Services(database, doorbells, self._down.cut, decisions)
        self._senders = Senders(
            database,
            doorbells,
            self._services,
            refused=self.refused,
            appeared=self._down.look,
            cut=self._down.cut,
            decoy_key=decoy_key or secrets.token_bytes(32),
        )
        self.proof = self._senders.proof
        self.proved = self._senders.proved
        self.disproved = self._senders.disproved
        self.identify_device = self._senders.identify
        self.named = self._senders.named
        self.sender_of = self._senders.numbered
        self.speaker = self._senders.speaker
        self.children = self._senders.children
        self._limits = DeviceLimits(settings)
        self._answer_allowance = Allowance(ANSWER_RATE, ANSWER_BURST)
        self._quotas = Quotas(self._limits)
        self._room = room or Room()
        self._notes = Notes()
        self._keeping = Keeping(database, self._down.lost)
        self.keep = self._keeping.keep
        self.find_again, self.shared_since = self._keeping.find_again, self._keeping.shared_since
        self.let_move = self._keeping.leave
        self._living = Living(
            database,
            name,
            address,
            version,
            began=self._keeping.begin,
            due=self._down.due,
            met=self._down.met,
        )
        self.bury = self._living.bury
        self.meet = self._living.meet
        self.begin_life = self._living.begin
        self._observing = Observing(database, doorbells, lambda: self.listener_id)
        self.observe, self.traced = self._observing.observe, self._observing.traced
        self._id = uuid7()
        self._showing = Showing(database, doorbells, self._id)
        self.show, self.shows = self._showing.show, self._showing.shows
        doorbells.on(QUOTAS_CHANNEL, lambda _payload: self._quotas.changed.set())
        doorbells.on("moorage_operations", lambda _payload: self._down.look())

    def adjust(self, settings: IngestSettings) -> None:
        """Take on other limits, from the next message on."""
        self.settings = settings
        self._limits.adjust(settings)

    async def run(self) -> None:
        """Serve the doors until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._writing.run())
            tasks.create_task(self._senders.follow_changes())
            tasks.create_task(self._services.follow_changes())
            tasks.create_task(self._down.run())
            tasks.create_task(self._write_notes())
            tasks.create_task(self._keeping.run())
            tasks.create_task(self._observing.run())
            tasks.create_task(self._showing.run())
            tasks.create_task(self._quotas.follow(self._database))
            tasks.create_task(self._quotas.share_for_ever(self._database, self._id))
            tasks.create_task(self._room.watch(self._database))
            if self._living.name is not None:
                tasks.create_task(self._living.run(self._living.name))

    @property
    def listener_id(self) -> UUID | None:
        """Give by which id other listeners know this one; None before they do."""
        return self._living.id

    def recognised(self, sender: devices.Sender) -> None:
        """Take up a sender that somebody else has recognised: whose quotas it uses, is listed."""
        self._senders.by_number[sender.number] = sender

    def may_add(self, application_id: UUID) -> bool:
        """Tell whether one more stranger may begin to wait in an application; takes its turn."""
        return self._senders.newcomers.take(application_id) == 0

    async def identify(self, credentials: Credentials) -> devices.Sender | Service:
        """Recognise a device, or a service by its API key. Raises as `Host.identify`."""
        secret = secret_of(credentials)
        if secret is None:
            return await self._senders.identify(credentials)
        return await self._senders.identify_service(credentials, secret)

    # --- Where to -------------------------------------------------------------

    def uplink(self, sender: devices.Sender | Service, topic: str) -> Uplink | None:
        """Tell where a publish to `topic` goes; None if the sender may not publish there."""
        if isinstance(sender, Service):
            return topics.service_uplink(self._services.now(sender), topic)
        if topic.startswith(topics.ABSOLUTE):
            name, _, rest = topic[len(topics.ABSOLUTE) :].partition("/")
            speaker = self.speaker(sender, name)
            if speaker is None:
                return None
            sender, topic = speaker, "v1/" + rest
        return topics.uplink(sender, topic)

    def may_subscribe(self, sender: devices.Sender | Service, topic_filter: str) -> bool:
        """Tell whether the sender may subscribe to the filter."""
        if isinstance(sender, Service):
            return topics.service_may_subscribe(self._services.now(sender), topic_filter)
        if topic_filter.startswith(topics.ABSOLUTE):
            name, _, rest = topic_filter[len(topics.ABSOLUTE) :].partition("/")
            # `+` is all that a gateway may speak for; it is handed nothing of others.
            everyone = name == "+" and sender.is_gateway
            if not everyone and self.speaker(sender, name) is None:
                return False
            topic_filter = "v1/" + rest
        return topics.may_subscribe(sender, topic_filter)

    def space_of(self, sender: devices.Sender, topic_filter: str) -> UUID | None:
        """Tell whose topics a filter is about: the application's, or None for the device's own."""
        return topics.space_of(sender, topic_filter)

    def shown_topic(self, uplink: Uplink, topic: str) -> str | None:
        """Give the topic by which services know a message; None if its device has just gone."""
        if not uplink.is_kept and uplink.space is not None:
            return topics.shared(uplink.space, uplink.topic or topic)
        sender = self._senders.by_number.get(uplink.device)
        if sender is None:
            return None
        return topics.shown(sender.application_id, sender.device_id, uplink.channel)

    def is_command(self, topic: str) -> bool:
        """Tell whether what a service publishes to `topic` is asked of a device."""
        return topics.commanded(topic) is not None

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        """Ask something of a device for a service. Raises as `Host.ask`."""
        await self._services.ask(service, topic, payload)

    # --- In -------------------------------------------------------------------

    def admit(self, device: int, count: int, size: int, *, answer: bool = False) -> Wait | None:
        """Take messages of together `size` bytes from what a device may send; None if it may."""
        if answer:
            if wait_s := self._answer_allowance.take(device, count):
                return Wait("device's", "answers a second", self._answer_allowance.rate, wait_s)
            return None
        if not self._quotas and not self._limits:  # As nearly always: this is done per message.
            return self._limits.take(device, (), count, size)
        owners = _owners(self._senders.by_number.get(device))
        ids = tuple(owner for _, owner in owners)
        wait = self._limits.take(device, ids, count, size)
        return self._quotas.take(owners, count, size) if wait is None and self._quotas else wait

    def enter(self, sender: devices.Sender | Service) -> Wait | None:
        """Count a connection in; None if it may come. Whoever came in has to `leave`."""
        owners = _owners(sender if isinstance(sender, devices.Sender) else None)
        wait = self._limits.enter(sender.number, tuple(owner for _, owner in owners))
        if wait is not None:
            return wait
        wait = self._quotas.enter(owners)
        if wait is not None:
            self._limits.leave(sender.number)
        return wait

    def queue_of(self, sender: devices.Sender | Service) -> tuple[int, int]:
        """Give how many messages may wait for a session, and how many bytes."""
        owners = _owners(sender if isinstance(sender, devices.Sender) else None)
        return self._limits.queue(tuple(owner for _, owner in owners))

    def leave(self, sender: devices.Sender | Service) -> None:
        """Count a connection out."""
        self._limits.leave(sender.number)
        self._quotas.leave(_owners(sender if isinstance(sender, devices.Sender) else None))

    def shed(self, reason: str, count: int = 1) -> None:
        """Count messages that are not stored, so that what was sent can be accounted for."""
        self._notes.shed(reason, count)

    def _require_allowance(
        self, device: int, count: int, size: int, *, answer: bool = False
    ) -> None:
        """Do as `admit`. Raises TooFast."""
        if wait := self.admit(device, count, size, answer=answer):
            self.shed("rate", count)
            raise TooFast(
                bucket=wait.whose,
                most=wait.most,
                unit=wait.unit,
                retry_after_s=ceil(wait.seconds),
            )

    def accept(self, messages: Sequence[ledger.RawMessage], done: Done) -> None:
        """Put messages into the ledger; `done` follows the commit of all of them."""
        if answers := [m for m in messages if m.channel.startswith("op/") and is_answer(m.channel)]:
            done = partial(self._answered, answers, done)
        self._writing.accept(messages, done)

    def _answered(
        self, answers: Sequence[ledger.RawMessage], done: Done, error: Exception | None
    ) -> None:
        """Pass on what ends operations ahead of the telemetry before it, once it is kept.

        The worker sees the same answers in the ledger, so none is lost with this process.
        """
        if error is None:
            self._notes.answered(answers)
        done(error)

    async def accept_durably(self, messages: Sequence[ledger.RawMessage]) -> None:
        """Put messages of one channel into the ledger and wait for the commit.

        Answers to operations are taken as long as there is room at all.

        Raises:
            TooFast: an allowance is used up.
            DiskFull, Overloaded: too much waits already.
        """
        size = sum(len(message.payload) for message in messages)
        answer = is_answer(messages[0].channel)
        self._require_allowance(messages[0].device, len(messages), size, answer=answer)
        if self.refuses(messages[0].channel):
            self.shed("disk", len(messages))
            raise DiskFull(retry_after_s=DISK_FULL_WAIT_S)
        if self.overloaded and not answer:
            self.shed("overload", len(messages))
            raise Overloaded(retry_after_s=1)
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settled(error: Exception | None) -> None:
            # Also after the sender was told to try again: it counts as shed only if it was.
            if error is not None:
                self.shed("overload", len(messages))
            settle(kept, error)

        self.accept(messages, settled)
        try:
            async with asyncio.timeout(LONGEST_COMMIT_S):
                await kept
        except TimeoutError as late:
            raise Overloaded(retry_after_s=5) from late

    def refuses(self, channel: str) -> bool:
        """Tell whether messages of a channel are refused because the disk is nearly full."""
        return self._room.full and not is_answer(channel)

    @property
    def overloaded(self) -> bool:
        """Tell whether doors should stop reading for now."""
        return self._writing.overloaded

    # --- Notes ----------------------------------------------------------------

    def refused(self, refusal: Refusal) -> None:
        """Count and list what was turned away."""
        self._notes.refused(refusal)

    def present(self, event: Presence) -> None:
        """Note that a device connected or disconnected."""
        self._notes.present(event)

    async def _write_notes(self) -> None:
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                await self._write_once()
        finally:
            await self._write_once()
            await self._living.stop()

    async def _write_once(self) -> None:
        await self._notes.write(self._database, self._senders.by_number, self.listener_id)

    # --- Down -----------------------------------------------------------------

    async def poll(self, device: int) -> list[Command]:
        """Claim what waits for a device that asks, which is a contact as well. Raises TooFast."""
        self._require_allowance(device, 1, 0)
        async with self._database.begin() as tx:
            await devices.seen(tx, {device: tx.now})
        return await self.take_commands(device)

    def _gateway_of(self, device: int) -> int | None:
        return self._senders.gateway_of(device)

    def taken(self, command_id: UUID) -> None:
        """Note that a device has acknowledged a command."""
        self._notes.taken(command_id)


def _owners(sender: devices.Sender | None) -> tuple[tuple[str, UUID], ...]:
    """Tell whose quotas a device uses, the narrowest first."""
    if sender is None:
        return ()
    return (
        ("application's", sender.application_id),
        ("organization's", sender.organization_id),
    )


def now_us() -> int:
    """Give the time in microseconds since 1970."""
    return time.time_ns() // 1000
