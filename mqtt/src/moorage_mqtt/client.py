"""The client's end of a connection."""

from . import properties as p
from .connection import CLOSED, CONNECTING, NEW, OPEN, Connection
from .encode import PINGREQ, encode
from .errors import ProtocolError, ReasonCode, breach
from .events import Delivery, Event, Failed
from .limits import Limits
from .packets import (
    V5,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingResp,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from .properties import Properties
from .reasons import sayable
from .session import Outgoing, Session

_DEFAULTS = Limits()


class ClientConnection(Connection):
    """The client's end: CONNECT is written at once, `ConnAck` comes as an event.

    Keep `session` and give it to the next connection to lose no message of QoS 1 and 2; if the
    server has forgotten the session, what was under way is sent anew. Messages received with
    QoS 1 or 2 are answered by `acknowledge`. Call `tick` at `deadline` for the keep-alive.
    """

    __slots__ = (
        "_clean_start",
        "_maximum_qos",
        "_method",
        "_ping_at",
        "_pinged",
        "_requests",
        "_retain_available",
        "keep_alive_s",
    )

    def __init__(
        self,
        client_id: str,
        *,
        now: float,
        version: int = V5,
        limits: Limits = _DEFAULTS,
        session: Session | None = None,
        clean_start: bool = True,
        keep_alive_s: int = 60,
        username: str | None = None,
        password: bytes | None = None,
        will: Will | None = None,
        properties: Properties | None = None,
    ) -> None:
        super().__init__(limits, version, session or Session(), now)
        carried: Properties = {}
        if version == V5:
            carried = {
                "receive_maximum": limits.receive_maximum,
                "maximum_packet_size": limits.packet_bytes,
            }
            if limits.topic_alias_maximum:
                carried["topic_alias_maximum"] = limits.topic_alias_maximum
            carried.update(properties or {})
        self._method = carried.get("authentication_method")
        self._requests: set[int] = set()
        self._clean_start = clean_start
        self._maximum_qos = 2
        self._retain_available = True
        self._pinged = False
        self._ping_at = now + limits.connect_timeout_s
        self.keep_alive_s = keep_alive_s
        packet = Connect(
            client_id, version, clean_start, keep_alive_s, username, password, will, carried
        )
        self._out.append(encode(packet, version))
        self._state = CONNECTING

    @property
    def deadline(self) -> float | None:
        """When to call `tick` next; None if there is nothing to wait for."""
        if self._state == CLOSED or (self._state == OPEN and not self.keep_alive_s):
            return None
        return self._ping_at

    def tick(self, now: float) -> list[Event]:
        """Send PINGREQ when due; fail if CONNECT or the last PINGREQ found no answer."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self._state == OPEN and not self._pinged:
            self.ping()
            self._ping_at = now + self.keep_alive_s
            return []
        code, text = ReasonCode.KEEP_ALIVE_TIMEOUT, "The server did not answer in time."
        self._shut()
        return [Failed(code, text)]

    def ping(self) -> None:
        """Send PINGREQ."""
        if self._state == OPEN:
            self._pinged = True
            self._out.append(PINGREQ)

    def send(self, message: Outgoing, now: float) -> Delivery:
        """Send a message, or queue it in the session until the server has room.

        Raises:
            ProtocolError: it does not fit MQTT, or the server has said that it does not take it.
        """
        if message.qos > self._maximum_qos:
            raise ProtocolError(ReasonCode.QOS_NOT_SUPPORTED, "The server takes no such QoS.")
        if message.retain and not self._retain_available:
            raise ProtocolError(ReasonCode.RETAIN_NOT_SUPPORTED, "The server retains nothing.")
        return super().send(message, now)

    def subscribe(self, *subscriptions: Subscription, properties: Properties | None = None) -> int:
        """Send SUBSCRIBE; `SubAck` will carry the packet id returned, 0 if not connected."""
        if packet_id := self._next_request():
            packet = Subscribe(packet_id, subscriptions, properties or {})
            self._out.append(encode(packet, self.version))
            self._requests.add(packet_id)
        return packet_id

    def unsubscribe(self, *topic_filters: str, properties: Properties | None = None) -> int:
        """Send UNSUBSCRIBE; `UnsubAck` will carry the packet id returned, 0 if not connected."""
        if packet_id := self._next_request():
            packet = Unsubscribe(packet_id, topic_filters, properties or {})
            self._out.append(encode(packet, self.version))
            self._requests.add(packet_id)
        return packet_id

    def authenticate(self, reason_code: ReasonCode, data: bytes | None = None) -> None:
        """Send AUTH: CONTINUE_AUTHENTICATION, or REAUTHENTICATE on an open connection."""
        if self._state == CLOSED or self._method is None:
            return
        properties: Properties = {"authentication_method": self._method}
        if data is not None:
            properties["authentication_data"] = data
        self._out.append(encode(Auth(reason_code, properties), V5))

    def disconnect(
        self,
        reason_code: ReasonCode = ReasonCode.SUCCESS,
        reason: str = "",
        *,
        session_expiry_s: int | None = None,
    ) -> None:
        """Say goodbye and close."""
        if self._state == OPEN:
            packet = Disconnect()
            if self.version == V5:
                properties = self._explain(reason, p.DISCONNECT, limited=False)
                if session_expiry_s is not None:
                    properties["session_expiry_interval"] = session_expiry_s
                packet = Disconnect(reason_code, properties)
            self._out.append(encode(packet, self.version))
        self._shut()

    def _next_request(self) -> int:
        if self._state != OPEN:
            return 0
        packet_id = self.session.next_packet_id()
        while packet_id in self._requests:
            packet_id = self.session.next_packet_id()
        return packet_id

    def _handle(self, packet: Packet, events: list[Event], now: float) -> None:
        if self._state == CONNECTING and not isinstance(packet, ConnAck | Auth):
            raise breach("The server's first packet is not CONNACK.")
        if isinstance(packet, ConnAck):
            self._connected(packet, events, now)
        elif isinstance(packet, SubAck | UnsubAck):
            if packet.packet_id not in self._requests:
                raise breach(f"No request has the packet identifier {packet.packet_id}.")
            self._requests.remove(packet.packet_id)
            events.append(packet)
        elif isinstance(packet, PingResp):
            self._pinged = False
        elif isinstance(packet, Auth):
            if self._method is None:
                raise breach("The server sends AUTH and no method was asked for.")
            events.append(packet)
        elif isinstance(packet, Disconnect) and self.version == V5:
            self._shut()
            events.append(packet)
        else:
            raise breach(f"A server may not send {type(packet).__name__} here.")

    def _connected(self, packet: ConnAck, events: list[Event], now: float) -> None:
        if self._state != CONNECTING:
            raise breach("A second CONNACK.")
        if packet.session_present and self._clean_start:
            raise breach("The server resumes a session that was to begin anew.")
        events.append(packet)
        if packet.reason_code:
            self._shut()
            return
        given = packet.properties
        self.keep_alive_s = given.get("server_keep_alive", self.keep_alive_s)
        self._ping_at = now + self.keep_alive_s
        self._window_out = min(
            self.limits.send_maximum, given.get("receive_maximum", self.limits.send_maximum)
        )
        self._peer_bytes = given.get("maximum_packet_size", self._peer_bytes)
        self._take_aliases(given)
        self._maximum_qos = given.get("maximum_qos", 2)
        self._retain_available = given.get("retain_available", 1) == 1
        if not packet.session_present:
            self._forget()
        self._start(events, now)

    def _forget(self) -> None:
        """Make what was under way new again: the server has no session for it."""
        session = self.session
        session.received.clear()
        anew = [one for one in session.inflight.values() if not one.released]
        session.queue[:0] = anew
        session.queue_bytes += sum(one.size for one in anew)
        session.inflight.clear()

    def _check_publish(self, packet: Publish) -> None:
        """Take whatever the server sends: a client announces nothing that could forbid it."""

    def _refuse(self, error: ProtocolError) -> None:
        if self._state == NEW:
            self._shut()
            return
        self.disconnect(sayable(error.reason_code, p.DISCONNECT), error.text)
