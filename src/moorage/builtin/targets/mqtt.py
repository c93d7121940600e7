"""The MQTT kind: one lasting connection; delivered is what the broker has acknowledged."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

import moorage_mqtt as mqtt
from moorage.plugin import (
    Delivery,
    FieldInvalid,
    Into,
    MoorageError,
    Outbound,
    Outcome,
    Result,
    Template,
    ValueMissing,
    client_context,
    said,
)

from . import tls
from .body import parsed, plain_body, scope_of
from .http.settings import Short, Tls, converted

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["host", "topic"],
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string", "maxLength": 253, "title": "Host"},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "title": "Port",
                 "description": "Unset: 8883 with encryption, 1883 without"},
        "encrypted": {"type": "boolean", "default": True, "title": "Encrypted (TLS)"},
        "version": {"enum": ["5", "3.1.1"], "default": "5", "title": "MQTT version"},
        "topic": {"type": "string", "maxLength": 1000, "title": "Topic",
                  "description": "May hold places such as {{device.id}}"},
        "qos": {"enum": [0, 1, 2], "default": 1, "title": "QoS"},
        "retain": {"type": "boolean", "default": False, "title": "Retain"},
        "body": {"type": "string", "maxLength": 65536, "title": "Body template",
                 "description": "Empty: an envelope around the document, or the bytes as received"},
        "user": {"type": "string", "maxLength": 200, "title": "User name"},
        "clientId": {"type": "string", "maxLength": 100, "title": "Client id",
                     "description": "Unset: one of the target's own; must be unique at the broker"},
        "keepAliveS": {"type": "integer", "minimum": 5, "maximum": 3600, "default": 60,
                       "title": "Keep-alive in seconds"},
        "timeoutS": {"type": "number", "minimum": 0.1, "maximum": 120, "default": 30,
                     "title": "Seconds to wait for an acknowledgement"},
        "tls": tls.SCHEMA,
    },
}  # fmt: skip
SECRETS = {
    "password": "The password that goes with the user name",
    "clientKey": "Private key of the client certificate (PEM, no passphrase)",
}

# Refusals of one message; other codes say nothing about it (MQTT 5, section 2.4).
_REFUSALS = frozenset(
    {
        mqtt.ReasonCode.NOT_AUTHORIZED,
        mqtt.ReasonCode.TOPIC_NAME_INVALID,
        mqtt.ReasonCode.PAYLOAD_FORMAT_INVALID,
        mqtt.ReasonCode.PACKET_TOO_LARGE,
        mqtt.ReasonCode.RETAIN_NOT_SUPPORTED,
        mqtt.ReasonCode.QOS_NOT_SUPPORTED,
    }
)
# Return codes of CONNACK (MQTT 3.1.1, section 3.2.2.3).
_CODES_311 = {
    1: "it does not speak this version of MQTT",
    2: "it refuses the client id",
    3: "it is unavailable",
    4: "user name or password are wrong",
    5: "this client is not authorized",
}
_LIMITS = mqtt.Limits(send_maximum=1_000, queue_messages=20_000)


class Settings(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Settings as stored."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[^\s/]+$")]
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    encrypted: bool = True
    version: Literal["5", "3.1.1"] = "5"
    qos: Literal[0, 1, 2] = 1
    retain: bool = False
    body: Annotated[str, msgspec.Meta(max_length=65_536)] = ""
    user: Short = ""
    client_id: Annotated[str, msgspec.Meta(max_length=100)] = ""
    keep_alive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=120)] = 30.0
    tls: Tls = msgspec.field(default_factory=Tls)


class MqttKind:
    """Makes MQTT senders."""

    api_version = 1
    title = "MQTT"
    schema = SCHEMA
    secrets = SECRETS

    def check(self, settings: Mapping[str, Any], secrets: frozenset[str]) -> None:
        """Check settings. Raises FieldInvalid."""
        given: Settings = converted(settings, Settings)
        _templates(given)
        literal = re.sub(r"\{\{.*?\}\}", "", given.topic)
        if any(c in literal for c in "+#\0"):
            raise FieldInvalid("/settings/topic", "must not contain + or #")
        if "password" in secrets and not given.user:
            raise FieldInvalid("/settings/user", "is needed with a password")
        if given.tls.client_certificate and "clientKey" not in secrets:
            raise FieldInvalid("/secrets/clientKey", "is needed with a client certificate")
        client_context(given.tls.authority, None, None)

    async def open(
        self,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        network: Outbound,
        identity: str,
    ) -> MqttSender:
        """Make a sender, which connects with its first message. Raises FieldInvalid."""
        return MqttSender(converted(settings, Settings), secrets, network, identity)


KIND = MqttKind()


class _Lost(Exception):
    """The connection could not be made, or is gone; the text says why."""


class _Wire(asyncio.Protocol):
    """One network connection and the state machine on it."""

    def __init__(self, machine: mqtt.ClientConnection) -> None:
        self.machine = machine
        self.waiting: dict[str, asyncio.Future[int]] = {}
        # QoS 2, by packet id: PUBREC has come. A broker passes the message on after PUBREL only,
        # so it is delivered once PUBCOMP has taken it out of the session.
        self._released: dict[int, tuple[mqtt.Outgoing, str]] = {}
        loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = loop.create_future()
        # The outcome is asked for by `connect` only; a later loss must not be reported twice.
        self.accepted.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.reason = "The broker closed the connection."
        self.writable = asyncio.Event()
        self.writable.set()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        """Whether messages can be published."""
        return self._transport is not None and self.machine.is_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._handle(self.machine.receive(data, time.monotonic()))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, failed: Exception | None) -> None:
        self._transport = None
        self.end(str(failed) if failed else self.reason)

    def flush(self) -> None:
        """Send what the machine has to say, and set its alarm."""
        if self._transport is None:
            return
        if data := self.machine.take():
            self._transport.write(data)
        if self.machine.is_closed:
            self._transport.close()
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (deadline := self.machine.deadline) is not None:
            wait_s = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._handle(self.machine.tick(time.monotonic()))

    def _handle(self, events: Sequence[mqtt.Event]) -> None:
        for event in events:
            if isinstance(event, mqtt.Acknowledged):
                under_way = self.machine.session.inflight.get(event.packet_id)
                if under_way is not None and under_way.released:
                    self._released[event.packet_id] = under_way, event.reference or ""
                else:
                    self._settle(event.reference or "", event.reason_code)
            elif isinstance(event, mqtt.ConnAck):
                self._answered(event)
            elif isinstance(event, mqtt.Failed):
                self.reason = event.text
            elif isinstance(event, mqtt.Disconnect):
                self.reason = f"The broker ended the connection: {_words(event.reason_code)}."
        if self._released:
            self._complete()
        self.flush()

    def _complete(self) -> None:
        """Settle the messages of QoS 2 whose exchange is over."""
        inflight = self.machine.session.inflight
        for packet_id, (message, reference) in list(self._released.items()):
            if inflight.get(packet_id) is not message:
                del self._released[packet_id]
                self._settle(reference, 0)

    def _settle(self, reference: str, code: int) -> None:
        waiter = self.waiting.pop(reference, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(code)

    def _answered(self, event: mqtt.ConnAck) -> None:
        if not event.reason_code:
            self.accepted.set_result(None)
            return
        words = _CODES_311.get(event.reason_code) or _words(event.reason_code)
        self.reason = f"The broker refuses the connection: {words}."
        self.accepted.set_exception(_Lost(self.reason))

    def end(self, reason: str) -> None:
        """Give up whoever still waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.accepted.done():
            self.accepted.set_exception(_Lost(reason))
        waiting, self.waiting = self.waiting, {}
        for waiter in waiting.values():
            if not waiter.done():
                waiter.set_exception(_Lost(reason))
        self.writable.set()

    def close(self) -> None:
        """Say goodbye."""
        self.machine.disconnect()
        self.flush()


class MqttSender:
    """Publishes over one connection; what was not acknowledged when it broke is an outage."""

    batch = 100

    def __init__(
        self, given: Settings, secrets: Mapping[str, str], network: Outbound, identity: str
    ) -> None:
        self._given = given
        self._topic, self._body = _templates(given)
        self._roots = self._topic.roots | (self._body.roots if self._body else frozenset())
        self._network = network
        self._password = secrets.get("password")
        self._client_id = given.client_id or identity
        self._port = given.port or (8883 if given.encrypted else 1883)
        self._tls: ssl.SSLContext | None = None
        if given.encrypted:
            self._tls = client_context(
                given.tls.authority, given.tls.client_certificate, secrets.get("clientKey")
            )
        self._version = mqtt.V5 if given.version == "5" else mqtt.V311
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Result]:
        """Publish in order and wait for the broker to take each message over."""
        began = time.perf_counter()
        try:
            wire = await self._connected()
        except _Lost as lost:
            result = Result(Outcome.OUTAGE, detail=str(lost), latency_ms=_ms(began))
            return [result] * len(batch)
        pending = [self._publish(wire, delivery) for delivery in batch]
        wire.flush()
        try:
            async with asyncio.timeout(self._given.timeout_s):
                await wire.writable.wait()
                futures = [one for one in pending if isinstance(one, asyncio.Future)]
                if futures:
                    await asyncio.wait(futures)
        except TimeoutError:
            # What is late on this connection must not arrive after its repeat on the next.
            wire.end(f"No acknowledgement within {self._given.timeout_s:g} s.")
            wire.close()
        return [self._result(one, began) for one in pending]

    def _publish(self, wire: _Wire, delivery: Delivery) -> Result | asyncio.Future[int]:
        try:
            topic, payload, content_type = self._message(delivery)
            properties: mqtt.Properties = {
                "content_type": content_type,
                "user_property": [("id", delivery.key)],
            }
            done = wire.machine.publish(
                topic,
                payload,
                now=time.monotonic(),
                qos=self._given.qos,
                retain=self._given.retain,
                properties=properties,
                reference=delivery.key,
            )
        except (ValueMissing, mqtt.ProtocolError) as wrong:
            return Result(Outcome.REFUSED, detail=str(wrong))
        if done is mqtt.Delivery.TOO_LARGE:
            return Result(Outcome.REFUSED, detail="The message is longer than the broker takes.")
        if done in (mqtt.Delivery.OFFLINE, mqtt.Delivery.QUEUE_FULL):
            return Result(Outcome.OUTAGE, detail=wire.reason)
        if self._given.qos == 0:
            return Result(Outcome.ACCEPTED)
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        wire.waiting[delivery.key] = waiter
        return waiter

    def _result(self, one: Result | asyncio.Future[int], began: float) -> Result:
        latency_ms = _ms(began)
        if isinstance(one, Result):
            return one
        if not one.done():
            return Result(Outcome.OUTAGE, detail="No acknowledgement.", latency_ms=latency_ms)
        if (lost := one.exception()) is not None:
            return Result(Outcome.OUTAGE, detail=str(lost), latency_ms=latency_ms)
        code = one.result()
        if code < 0x80:
            return Result(Outcome.ACCEPTED, code, latency_ms=latency_ms)
        outcome = Outcome.REFUSED if code in _REFUSALS else Outcome.FAILED
        detail = f"The broker refused the message: {_words(code)}."
        return Result(outcome, code, detail, latency_ms=latency_ms)

    async def _connected(self) -> _Wire:
        async with self._connecting:
            if self._wire is not None and self._wire.alive:
                return self._wire
            if self._wire is not None:
                self._wire.end("The connection was replaced.")
            self._wire = await self._connect()
            return self._wire

    async def _connect(self) -> _Wire:
        given = self._given
        machine = mqtt.ClientConnection(
            self._client_id,
            now=time.monotonic(),
            version=self._version,
            limits=_LIMITS,
            keep_alive_s=given.keep_alive_s,
            username=given.user or None,
            password=self._password.encode() if self._password is not None else None,
        )
        where = f"{given.host}:{self._port}"
        wire = _Wire(machine)
        try:
            async with asyncio.timeout(given.timeout_s):
                await self._network.connect(lambda: wire, given.host, self._port, ssl=self._tls)
                await wire.accepted
        except TimeoutError as late:
            wire.close()
            raise _Lost(f"{where} did not answer within {given.timeout_s:g} s.") from late
        except (OSError, MoorageError) as failed:
            raise _Lost(said(failed, given.host, self._port)) from failed
        return wire

    def _message(self, delivery: Delivery) -> tuple[str, bytes, str]:
        scope = scope_of(delivery, self._roots)
        topic = self._topic.render(scope)
        if self._body is None:
            return topic, *plain_body(delivery.content)
        return topic, self._body.render(scope).encode(), "application/json"

    def show(self, delivery: Delivery) -> str:
        """Give the message as text."""
        try:
            topic, payload, content_type = self._message(delivery)
        except ValueMissing as wrong:
            return str(wrong)
        retain = ", retain" if self._given.retain else ""
        head = f"PUBLISH {topic}\nQoS {self._given.qos}{retain}\nClient id: {self._client_id}"
        if self._given.user:
            head += f"\nUser: {self._given.user}"
        if self._version == mqtt.V5:
            head += f"\nContent type: {content_type}\nid: {delivery.key}"
        return f"{head}\n\n{payload.decode('utf-8', 'replace')}"

    async def ping(self) -> Result:
        """Connect and sign in."""
        began = time.perf_counter()
        try:
            await self._connected()
        except _Lost as lost:
            return Result(Outcome.OUTAGE, detail=str(lost), latency_ms=_ms(began))
        return Result(Outcome.ACCEPTED, 0, "The broker accepts the connection.", "", _ms(began))

    async def close(self) -> None:
        """Say goodbye and end the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _templates(given: Settings) -> tuple[Template, Template | None]:
    topic = parsed(given.topic, Into.TOPIC, "/settings/topic")
    return topic, parsed(given.body, Into.JSON, "/settings/body") if given.body else None


def _words(code: int) -> str:
    try:
        return mqtt.ReasonCode(code).name.lower().replace("_", " ")
    except ValueError:
        return f"reason code {code}"


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
