"""One device's connection: who it is, what it subscribes to, and the commands down to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from moorage.plugin import (
    Command,
    Credentials,
    Kind,
    MoorageError,
    Refusal,
    Sender,
    Service,
)
from moorage_mqtt import (
    Acknowledged,
    Auth,
    Connect,
    Delivery,
    Disconnect,
    Event,
    Failed,
    Granted,
    Properties,
    Publish,
    ReasonCode,
    Released,
    Subscribe,
    Subscription,
    Unsubscribe,
    matches,
)

from . import subscriptions
from .intake import TIME
from .line import BUSY
from .probing import probe
from .proving import Proving
from .reasons import ASKED, CAUSES, NOT_GRANTED, OTHERWISE, REFUSALS
from .scram import METHOD, Proved
from .sessions import Kept

_NO_METHOD = "The door knows no method of enhanced authentication."


class Link(Proving):
    """A connection of a device."""

    __slots__ = ()

    def _other(self, event: Event) -> None:
        if isinstance(event, Connect):
            self._connected(event)
        elif isinstance(event, Auth):
            self._authenticate(event)
        elif isinstance(event, Subscribe):
            self._subscribe(event)
        elif isinstance(event, Unsubscribe):
            self._unsubscribe(event)
        elif isinstance(event, Released):
            self._pass_on_released(event.packet_id)
        elif isinstance(event, Acknowledged):
            if event.reference is not None:
                self.door.host.taken(UUID(event.reference))
        elif isinstance(event, Disconnect):
            self.end("client")
        elif isinstance(event, Failed):
            code = ReasonCode(event.reason_code)
            if code not in CAUSES:
                self._refused(REFUSALS.get(code, "malformed"), event.text)
            self.end(CAUSES.get(code, "protocol"))

    # --- Signing in ---------------------------------------------------------------------------

    def _connected(self, connect: Connect) -> None:
        """Answer CONNECT at once, or when the client has proved its password."""
        method = connect.properties.get("authentication_method")
        if method is None:
            self.door.spawn(self._sign_in(connect, None), self)
        elif self.vouched is not None:
            self.stop(BUSY)
            self.door.spawn(self._sign_in(connect, self.vouched), self)
        elif method != METHOD or self.door.settings.is_open:
            text = (
                f"The door knows {METHOD} only." if not self.door.settings.is_open else _NO_METHOD
            )
            self.end("protocol", ReasonCode.BAD_AUTHENTICATION_METHOD, text)
        else:
            self._connect = connect
            self._challenge(connect.properties.get("authentication_data", b""))

    async def _sign_in(self, connect: Connect, proved: Proved | None) -> None:
        """Answer CONNECT."""
        door = self.door
        client_id = connect.client_id
        credentials = Credentials(
            connect.username,
            connect.password,
            client_id,
            self.address,
            "mqtt",
            self.tls,
            certificate=self.certificate,
        )
        sender = await self._recognise(credentials, proved)
        if sender is None or self.ended:
            return
        if self.tap is not None and not self.tap.known(sender.number):
            self.tap = None
        if connect.will and not door.may_publish(sender, connect.will.topic):
            text = f"A will to {connect.will.topic[:200]} is not allowed."
            device = sender.number if isinstance(sender, Sender) else None
            door.host.refused(
                Refusal("topic", text, "mqtt", self.address, connect.will.topic, device)
            )
            self.end("protocol", ReasonCode.NOT_AUTHORIZED, text)
            return
        with door.keeper.pinned(sender.number):
            self.vouched = proved
            if await self._load(sender, client_id):
                await self._attach(connect, credentials, sender)

    async def _attach(
        self, connect: Connect, credentials: Credentials, sender: Sender | Service
    ) -> None:
        """Give the connection its session, once its former connection is settled."""
        door, core = self.door, self.core
        client_id = connect.client_id
        assigned = None
        if not client_id:
            client_id = assigned = door.make_client_id()
        while await self._end_former(sender, client_id):
            # That may have taken long, and the device's rights may be others by now.
            again = await self._recognise(credentials, self.vouched)
            if again is None or self.ended:
                return
            sender = again
        if self.ended or not self._may_enter(sender):
            return
        kept, present = door.broker.attach(
            sender.number, client_id, core, clean_start=connect.clean_start, now=door.time()
        )
        kept.sender, kept.link, self.kept = sender, self, kept
        self.certificate = b""  # It has done its work, and there may be many connections.
        self._early = b""
        kept.session.bounds = door.host.queue_of(sender)
        if isinstance(sender, Service):
            core.session_expiry_s = 0  # Nothing is kept for it.
        if core.session_expiry_s and not door.settings.is_open:
            kept.lasts_s = core.session_expiry_s
            kept.session.changed = True
        elif kept.lasts_s:
            door.keeper.discarded(kept)  # It ends with this connection.
        if not door.settings.is_open:
            door.wills.keep(connect, kept)
        if present:
            subscriptions.review(kept, door.host, door.broker)
        door.send_later()  # A session that has ended may have left something to others.
        events = core.accept(
            kept.session,
            now=door.time(),
            session_present=present,
            assigned_client_id=assigned,
            properties=self._information(connect, client_id),
        )
        if not core.keep_alive_s and not self.is_carried:
            probe(self.transport)
        door.arrived(self, kept)
        if sender.valid_until is not None:
            self._end_at(sender.valid_until)
        self.go_on(BUSY)
        if events:
            self._process(events)
        self.flush()

    def _may_enter(self, sender: Sender | Service) -> bool:
        """Count the connection in, or end it if there are too many or they come too fast."""
        wait = self.door.host.enter(sender)
        if wait is None:
            return True
        text = str(wait)
        device = sender.number if isinstance(sender, Sender) else None
        self.door.host.refused(Refusal("rate", text, "mqtt", self.address, "", device))
        is_rate = wait.unit.startswith("connects ")
        code = ReasonCode.CONNECTION_RATE_EXCEEDED if is_rate else ReasonCode.QUOTA_EXCEEDED
        self.end("protocol", code, text)
        return False

    def _information(self, connect: Connect, client_id: str) -> Properties:
        """Say what CONNACK of MQTT 5 says beside the limits of the door.

        In lab mode a client that asks for it is given a topic of its own for answers (MQTT 5,
        3.1.2.11.6); a device's answers go where the command says.
        """
        if self.door.settings.is_open:
            asked = connect.properties.get("request_response_information")
            return {"response_information": f"response/{client_id}"} if asked else {}
        if self.kept is not None and isinstance(self.kept.sender, Service):
            return {"session_expiry_interval": 0}
        # See `subscriptions.allow`.
        said: Properties = {"shared_subscription_available": 0}
        if self.vouched is not None:
            said["authentication_data"] = self.vouched.said
        return said

    def _end_at(self, valid_until: datetime) -> None:
        """Have the connection end with its credential."""
        left_s = (valid_until - datetime.now(UTC)).total_seconds()
        text = "The credential has expired."
        end = partial(self.end, "revoked", ReasonCode.ADMINISTRATIVE_ACTION, text)
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, left_s), end)

    async def _recognise(
        self, credentials: Credentials, proved: Proved | None = None
    ) -> Sender | Service | None:
        """Find out who connects; a stranger's connection is ended."""
        try:
            if proved is not None:
                return await self.door.host.proved(credentials, proved.proof)
            return await self.door.host.identify(credentials)
        except MoorageError as refused:
            code = ReasonCode.BAD_USER_NAME_OR_PASSWORD
            if refused.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY):
                code = ReasonCode.SERVER_UNAVAILABLE
            elif credentials.username is None and credentials.password is None:
                code = ReasonCode.NOT_AUTHORIZED
            self.end("protocol", code, str(refused))
            return None

    async def _load(self, sender: Sender | Service, client_id: str) -> bool:
        """Take up what was kept for the device; False if another listener serves it, or none."""
        if isinstance(sender, Sender) and not self.door.settings.is_open:
            try:
                if not await self.door.bring_home(self, sender, client_id):
                    return False
            except MoorageError as failed:
                self.end("protocol", ReasonCode.SERVER_UNAVAILABLE, str(failed))
        return not self.ended

    async def _end_former(self, sender: Sender | Service, client_id: str) -> bool:
        """End the connection that has the session, and wait until what it took in is settled.

        Gives whether there was something to wait for.
        """
        broker, waited = self.door.broker, False
        while (kept := broker.find(sender.number, client_id)) and (former := kept.link):
            former.take_over()
            if former.core.unacknowledged:
                waited = True
                await former.drained()
        return waited

    # --- Subscriptions and commands -------------------------------------------------------------

    def _subscribe(self, event: Subscribe) -> None:
        kept = self.kept
        if kept is None:
            return
        broker, door = self.door.broker, self.door
        granted = broker.subscribe(kept, event, partial(self._allow, kept))
        if door.settings.is_open:
            broker.conclude(kept, event, granted, door.time())
            door.system.asked(event, door.time())
            return
        asked = {
            one.wanted.topic_filter for one in granted if one.code < ReasonCode.UNSPECIFIED_ERROR
        }
        if isinstance(kept.sender, Service):
            door.forget_topics(None)
        else:
            subscriptions.note_commands(kept)
            for other in broker.of(kept.number):
                if other.link is not None:
                    other.link.forget_topics()
            if kept.elsewhere:
                door.forget_topics(kept.sender.application_id)
        if asked and (isinstance(kept.sender, Service) or asked & kept.elsewhere.keys()):
            # Others have to know of it first, so that nothing is missed once it is granted.
            self.stop(BUSY)
            if isinstance(kept.sender, Service):
                door.spawn(self._hear_all(kept, event, granted), self)
            else:
                door.catching.subscribe(kept, partial(self._granted, event, granted))
        else:
            self._conclude(event, granted, ())

    async def _hear_all(self, kept: Kept, event: Subscribe, granted: Sequence[Granted]) -> None:
        """Answer a service once all that comes from then on, by other doors too, comes here."""
        await self.door.host.shows()
        self.door.catching.subscribe(kept, partial(self._granted, event, granted))

    def _granted(
        self, event: Subscribe, granted: Sequence[Granted], retained: Sequence[tuple[UUID, Publish]]
    ) -> None:
        if not self.ended:
            self._conclude(event, granted, retained)
            self.go_on(BUSY)

    def _conclude(
        self, event: Subscribe, granted: Sequence[Granted], retained: Sequence[tuple[UUID, Publish]]
    ) -> None:
        """Answer SUBSCRIBE."""
        kept, door = self.kept, self.door
        if kept is None:
            return
        door.broker.conclude(kept, event, granted, door.time(), retained)
        door.system.asked(event, door.time())
        self.flush()
        if isinstance(kept.sender, Service):
            return
        if kept.takes_commands or kept.sender.is_gateway:
            door.host.look_for_commands()
        if any(matches(wanted.topic_filter, TIME) for wanted in event.subscriptions):
            self._tell_time(kept)

    def _allow(self, kept: Kept, wanted: Subscription) -> int:
        """Grant a subscription, or list that it is refused."""
        if self.door.settings.is_open:
            may = self.door.host.may_subscribe(kept.sender, wanted.topic_filter)
            return wanted.qos if may else ReasonCode.UNSPECIFIED_ERROR
        code = subscriptions.allow(kept, wanted, self.door.host)
        if code in NOT_GRANTED:
            text = f"Subscribing to {wanted.topic_filter[:200]} is not allowed."
            self._refused("topic", text, wanted.topic_filter)
        return code

    def _unsubscribe(self, event: Unsubscribe) -> None:
        if self.kept is not None:
            self.door.broker.answer_unsubscribe(self.kept, event)
            if not self.door.settings.is_open:
                subscriptions.forget_spaces(self.kept)
                subscriptions.note_commands(self.kept)

    def _tell_time(self, kept: Kept) -> None:
        """Send a device that wants it the time: milliseconds since 1970."""
        qos = subscriptions.granted(kept, TIME)
        if qos is not None:
            now_ms = b"%d" % (self.door.now_us() // 1000)
            self.core.publish(
                TIME,
                now_ms,
                qos=min(1, qos),
                now=self.door.time(),
                properties=subscriptions.identifiers(kept, TIME),
            )

    def _ask(self, service: Service, publish: Publish) -> None:
        """Ask something of a device for a service, and acknowledge it once that is kept."""
        wait = self.door.host.admit(service.number, 1, len(publish.payload))
        if wait is None or self._bear(publish, wait):
            self.door.spawn(self._await_asked(service, publish), self)

    async def _await_asked(self, service: Service, publish: Publish) -> None:
        code, text = ReasonCode.SUCCESS, ""
        try:
            await self.door.host.ask(service, publish.topic, publish.payload)
        except MoorageError as refused:
            code, text = ASKED.get(refused.kind, OTHERWISE), str(refused)
            self._refused(REFUSALS.get(code, "topic"), text, publish.topic)
        if publish.qos:
            self.core.acknowledge(publish.packet_id, code, text)
        if not self.ended:
            self.flush()

    def command(self, command: Command) -> bool:
        """Send a command; False if this connection does not take it now."""
        if self.kept is None or not self.core.is_open:
            return False
        found = subscriptions.command_topic(self.kept, command.device_id, str(command.id))
        if found is None:
            return False
        topic, qos = found
        answers = subscriptions.answer_topic(self.kept, topic, str(command.id))
        properties = subscriptions.identifiers(self.kept, topic)
        properties["response_topic"] = answers
        if content_type := command.meta.get("content_type"):
            properties["content_type"] = content_type
        if "port" in command.meta:
            properties["user_property"] = [("port", str(command.meta["port"]))]
        outcome = self.core.publish(
            topic,
            command.payload,
            qos=qos,
            now=self.door.time(),
            properties=properties,
            reference=str(command.id),
        )
        self.flush()
        if outcome is Delivery.SENT and not qos:
            self.door.host.taken(command.id)
        return outcome in (Delivery.SENT, Delivery.QUEUED)
