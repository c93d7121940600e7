"""One network connection to a broker: bytes of MQTT, straight or within WebSocket."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import moorage_mqtt as mqtt
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound, client_context, said

from ..model import Address, Source, Version
from .websocket import WebSocket

CONNECT_TIMEOUT_S = 15.0
CLOSING_S = 5.0
# Longer ones would have to be held in memory to be refused.
LARGEST_PACKET = 32 * 1024 * 1024
# As many as MQTT 5 is asked to have under way towards us; a broker of 3.1.1 has its own limit.
# More are borne: Mosquitto 2.0 forgets what it was asked when a session is resumed.
RECEIVE_MAXIMUM, RECEIVE_BORNE = 100, 65_535
KEEP_SESSION_S = 7 * 86_400
_LIMITS = mqtt.Limits(
    packet_bytes=LARGEST_PACKET, receive_maximum=RECEIVE_BORNE, topic_alias_maximum=100
)
# Return codes of CONNACK (MQTT 3.1.1, section 3.2.2.3).
_CODES_311 = {
    1: "it does not speak this version of MQTT",
    2: "it refuses the client id",
    3: "it is unavailable",
    4: "user name or password are wrong",
    5: "this client is not authorized",
}
_FAILED = 0x80


class Lost(Exception):
    """The connection could not be made, or is gone; the text says why."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach a broker and who to be there.

    Attributes:
        clean: begin a session of no past, which ends with the connection.
    """

    address: Address
    version: Version
    client_id: str
    user_name: str
    password: str | None
    keep_alive_s: int
    tls: ssl.SSLContext | None
    clean: bool = False

    @classmethod
    def of(
        cls,
        source: Source,
        secrets: Mapping[str, str],
        number: int = 0,
        *,
        client_id: str = "",
        clean: bool = False,
    ) -> Login:
        """Make the login of one of a source's connections. Raises FieldInvalid.

        Each has a user name of its own, since some brokers know sessions by that.
        """
        address = Address.of(source.url)
        tls = None
        if address.tls:
            key = secrets.get("clientKey")
            tls = client_context(source.authority, source.client_certificate, key, "")
        return cls(
            address, source.version, client_id or client_id_of(source, number),
            source.user_name and _numbered(source.user_name, number),
            secrets.get("password"), source.keep_alive_s, tls, clean,
        )  # fmt: skip


def client_id_of(source: Source, number: int = 0) -> str:
    """Give the client id of a connection: the source's own choice, or one nobody else has."""
    return _numbered(source.client_id or f"moorage-{source.id.hex}", number)


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number}" if number else name


@dataclass(slots=True, eq=False)
class Wire(asyncio.Protocol):
    """The connection; what comes is handed on as it comes.

    Attributes:
        published: takes each PUBLISH.
        acknowledged: takes each answer to what was published with a reference.
        lost: done once the connection is over; its result says why.
    """

    login: Login
    machine: mqtt.ClientConnection
    published: Callable[[mqtt.Publish], None]
    acknowledged: Callable[[mqtt.Acknowledged], None]
    lost: asyncio.Future[str]
    accepted: asyncio.Future[mqtt.ConnAck]
    reason: str = "The broker closed the connection."
    _asked: dict[int, asyncio.Future[Sequence[int]]] = field(default_factory=dict)
    _websocket: WebSocket | None = None
    _transport: asyncio.Transport | None = None
    _timer: asyncio.TimerHandle | None = None
    _paused: bool = False

    # --- asyncio's side ---------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak."""
        self._transport = transport  # type: ignore[assignment]
        if self.login.address.websocket:
            self._websocket = WebSocket(self.login.address)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._websocket is not None:
            try:
                data = self._websocket.receive(data)
            except ConnectionError as failed:
                self.end(str(failed))
                return
        if data:
            self._handle(self.machine.receive(data, time.monotonic()))
        else:
            self.flush()

    def connection_lost(self, failed: Exception | None) -> None:
        """Tell that it is over."""
        self._transport = None
        self.end(f"The connection broke: {failed}." if failed else self.reason)

    # --- Ours -------------------------------------------------------------

    def flush(self) -> None:
        """Send what there is to say, and set the alarm."""
        if self._transport is None:
            return
        websocket = self._websocket
        if websocket is None:
            data = self.machine.take()
        else:
            data = websocket.send(self.machine.take() if websocket.is_open else b"")
        if data:
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

    def pause(self) -> None:
        """Read no further."""
        if self._transport is not None and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Tell the broker that messages are dealt with; they leave in the order they came."""
        self.machine.acknowledge_many(packet_ids)
        self.flush()

    async def subscribe(
        self, wanted: Mapping[str, int], *, retained: bool = False
    ) -> dict[str, int]:
        """Subscribe to filters, each with its QoS; give the broker's reason code for each.

        Retained messages are sent as well if `retained`, or by a broker that knows 3.1.1 only.

        Raises:
            Lost: the connection is gone, or no answer came in time.
        """
        # MQTT 5, section 3.8.3.1.
        handling = 0 if retained or self.login.version is Version.V311 else 2
        asked = [
            mqtt.Subscription(topic_filter, qos, retain_handling=handling)
            for topic_filter, qos in wanted.items()
        ]
        codes = await self._ask(self.machine.subscribe(*asked)) if asked else ()
        return dict(zip(wanted, codes, strict=True))

    async def unsubscribe(self, topic_filters: Sequence[str]) -> None:
        """End subscriptions. Raises Lost."""
        if topic_filters:
            await self._ask(self.machine.unsubscribe(*topic_filters))

    async def _ask(self, packet_id: int) -> Sequence[int]:
        answer: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._asked[packet_id] = answer
        self.flush()
        if self.lost.done():
            raise Lost(self.lost.result())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await answer
        except TimeoutError as late:
            self.end("The broker does not answer a request.")
            raise Lost(self.lost.result()) from late

    def goodbye(self, *, forget: bool = False) -> None:
        """End the connection in peace; with `forget` the broker's session with it."""
        self.machine.disconnect(session_expiry_s=0 if forget else None)
        self.end("The connection was ended from here.")

    def end(self, reason: str) -> None:
        """End the connection, once: `reason` is why."""
        if (transport := self._transport) is not None:
            self.flush()
            transport.close()
            # A peer that is gone takes nothing of what is still to be sent.
            asyncio.get_running_loop().call_later(CLOSING_S, transport.abort)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.lost.done():
            self.lost.set_result(reason)
        if not self.accepted.done():
            self.accepted.set_exception(Lost(reason))
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(Lost(reason))

    def _tick(self) -> None:
        self._handle(self.machine.tick(time.monotonic()))

    def _handle(self, events: Sequence[mqtt.Event]) -> None:
        for event in events:
            if type(event) is mqtt.Publish:
                self.published(event)
            elif isinstance(event, mqtt.ConnAck):
                self._answered(event)
            elif isinstance(event, mqtt.SubAck | mqtt.UnsubAck):
                answer = self._asked.pop(event.packet_id, None)
                if answer is not None and not answer.done():
                    answer.set_result(event.reason_codes)
            elif isinstance(event, mqtt.Acknowledged):
                self.acknowledged(event)
            elif isinstance(event, mqtt.Failed):
                self.reason = event.text
            elif isinstance(event, mqtt.Disconnect):
                words = words_of(event.reason_code, event.properties)
                self.reason = f"The broker ended the connection: {words}."
        if self.machine.is_closed:
            self.end(self.reason)
        else:
            self.flush()

    def _answered(self, event: mqtt.ConnAck) -> None:
        if self.accepted.done():
            return
        if not event.reason_code:
            self.accepted.set_result(event)
            return
        words = words_of(event.reason_code, event.properties)
        if self.login.version is Version.V311:
            words = _CODES_311.get(event.reason_code, words)
        self.end(f"The broker refuses the connection: {words}.")


def words_of(code: int, properties: mqtt.Properties) -> str:
    """Say what a reason code means, with the broker's own words where it has any."""
    try:
        words = mqtt.ReasonCode(code).name.lower().replace("_", " ")
    except ValueError:
        words = f"reason code {code}"
    told = properties.get("reason_string", "")
    return f"{words} ({told[:200]})" if told else words


def is_refused(code: int) -> bool:
    """Tell whether a reason code of SUBACK is a refusal."""
    return code >= _FAILED


async def connect(
    login: Login,
    network: Outbound,
    published: Callable[[mqtt.Publish], None],
    session: mqtt.Session | None = None,
    acknowledged: Callable[[mqtt.Acknowledged], None] = lambda _event: None,
) -> tuple[Wire, mqtt.ConnAck]:
    """Connect and sign in.

    Args:
        login: where and as who.
        network: the only way to open connections.
        published: takes each PUBLISH; the first may come before this returns.
        session: what is left of the connection before.
        acknowledged: takes each answer to what is published.

    Raises:
        Lost: it cannot be done; the text says why.
    """
    properties: mqtt.Properties = {"receive_maximum": RECEIVE_MAXIMUM}
    if not login.clean:
        properties["session_expiry_interval"] = KEEP_SESSION_S
    machine = mqtt.ClientConnection(
        login.client_id,
        now=time.monotonic(),
        version=mqtt.V5 if login.version is Version.V5 else mqtt.V311,
        limits=_LIMITS,
        session=session,
        clean_start=login.clean,
        keep_alive_s=login.keep_alive_s,
        username=login.user_name or None,
        password=login.password.encode() if login.password is not None else None,
        properties=properties,
    )
    loop = asyncio.get_running_loop()
    wire = Wire(login, machine, published, acknowledged, loop.create_future(), loop.create_future())
    # Whoever does not wait for it has heard of the end by `lost`.
    wire.accepted.add_done_callback(lambda done: done.cancelled() or done.exception())
    host, port = login.address.host, login.address.port
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await network.connect(lambda: wire, host, port, ssl=login.tls)
            return wire, await wire.accepted
    except TimeoutError as late:
        wire.end(f"{host}:{port} did not answer within {CONNECT_TIMEOUT_S:g} s.")
        raise Lost(wire.lost.result()) from late
    except (OSError, MoorageError) as failed:
        wire.end(said(failed, host, port))
        raise Lost(wire.lost.result()) from failed
