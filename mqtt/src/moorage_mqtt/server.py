"""The server's end of a connection."""

from dataclasses import replace

from . import properties as p
from .connection import CLOSED, CONNECTING, NEW, OPEN, Connection
from .encode import PINGRESP, encode
from .errors import ProtocolError, ReasonCode, UnknownVersion, breach, malformed
from .events import Event, Failed
from .limits import NEVER, Limits
from .packets import (
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)
from .properties import Properties
from .reasons import connack_311, sayable
from .session import Session
from .topics import has_wildcard, split_share


class ServerConnection(Connection):
    """The server's end: authenticates nobody, routes nothing, but keeps every rule of the wire.

    The owner answers a `Connect` event with `accept`, `refuse` or (enhanced authentication)
    `challenge`, a `Subscribe` with `suback`, an `Unsubscribe` with `unsuback`, and each `Publish`
    of QoS 1 or 2 with `acknowledge`. PINGREQ is answered here.
    """

    __slots__ = (
        "_asks_to_last",
        "_began",
        "_is_bridge",
        "_method",
        "_offer",
        "keep_alive_s",
        "session_expiry_s",
        "will",
    )

    def __init__(self, limits: Limits, now: float) -> None:
        super().__init__(limits, V311, Session(), now)
        self._began = now
        self._asks_to_last = False
        self._is_bridge = False
        self._method: str | None = None
        self._offer: Properties = {}  # What CONNACK announces; empty before and after.
        self._maximum = limits.first_packet_bytes
        self.will: Will | None = None
        """The will still to be published if the connection ends; None after a clean goodbye."""
        self.keep_alive_s = 0
        """Keep-alive in force; 0 means none."""
        self.session_expiry_s = 0
        """How long the session outlives the connection; NEVER means for ever."""

    @property
    def is_new(self) -> bool:
        """Whether CONNECT has not come yet."""
        return self._state == NEW

    @property
    def deadline(self) -> float | None:
        """When `tick` will end the connection unless something is heard before."""
        if self._state == CLOSED:
            return None
        if self._state != OPEN:
            return self._began + self.limits.connect_timeout_s
        return self.heard_at + 1.5 * self.keep_alive_s if self.keep_alive_s else None

    def tick(self, now: float) -> list[Event]:
        """End the connection if its deadline has passed [MQTT-3.1.2-22]."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self._state == OPEN:
            code, text = ReasonCode.KEEP_ALIVE_TIMEOUT, "Nothing was heard for the keep-alive."
        else:
            code, text = ReasonCode.UNSPECIFIED_ERROR, "CONNECT was not completed in time."
        self.disconnect(code)
        return [Failed(code, text)]

    # --- The answer to CONNECT ------------------------------------------------------------------

    def accept(
        self,
        session: Session,
        *,
        now: float,
        session_present: bool,
        assigned_client_id: str | None = None,
        properties: Properties | None = None,
    ) -> list[Event]:
        """Accept the client, resume its session and return what it sent meanwhile.

        Accept a resumed session only once its former connection has nothing `unacknowledged`:
        only then does it know which QoS 2 messages were taken.

        Args:
            session: fresh, or the one the client left.
            now: seconds on the owner's clock.
            session_present: whether `session` is one the client left.
            assigned_client_id: the id made for a client that gave none.
            properties: more for the CONNACK of MQTT 5; limits are announced by themselves.
        """
        if self._state != CONNECTING:
            return []
        self.session = session
        carried: Properties = {}
        if self.version == V5:
            carried, self._offer = self._offer, {}
            if assigned_client_id is not None:
                carried["assigned_client_identifier"] = assigned_client_id
            carried.update(properties or {})
        self._say(encode(ConnAck(session_present, 0, carried), self.version))
        if self._state == CLOSED:
            self.will = None
            text = f"The client takes {self._peer_bytes} bytes, too few for CONNACK."
            return [Failed(ReasonCode.PACKET_TOO_LARGE, text)]
        events: list[Event] = []
        self._start(events, now)
        early = bytes(self._tail)
        self._tail.clear()
        if early:
            events += self.receive(early, now)
        return events

    def refuse(
        self, reason_code: ReasonCode, reason: str = "", properties: Properties | None = None
    ) -> None:
        """Refuse the client and close; MQTT 3.1.1 gets the nearest return code."""
        if self._state != CONNECTING:
            return
        if self.version == V5:
            carried: Properties = {
                **self._explain(reason, p.CONNACK, limited=False),
                **(properties or {}),
            }
            self._say(encode(ConnAck(False, reason_code, carried), V5))
        else:
            self._say(encode(ConnAck(False, connack_311(reason_code)), V311))
        self.will = None  # No session, no will [MQTT-3.1.2-8].
        self._shut()

    def challenge(self, data: bytes) -> None:
        """Continue enhanced authentication with server data."""
        self._authenticate(ReasonCode.CONTINUE_AUTHENTICATION, data)

    def reauthenticated(self, data: bytes | None = None) -> None:
        """Confirm a re-authentication on an open connection."""
        self._authenticate(ReasonCode.SUCCESS, data)

    # --- Other answers ----------------------------------------------------------------------------

    def suback(self, packet_id: int, reason_codes: tuple[int, ...], reason: str = "") -> None:
        """Answer SUBSCRIBE: granted QoS or refusal for each filter, 0x80 to all of 3.1.1."""
        if self._state != OPEN:
            return
        if self.version == V311:
            reason_codes = tuple(min(code, 0x80) for code in reason_codes)
        packet = SubAck(packet_id, reason_codes, self._explain(reason, p.SUBACK))
        self._say(encode(packet, self.version))

    def unsuback(self, packet_id: int, reason_codes: tuple[int, ...], reason: str = "") -> None:
        """Answer UNSUBSCRIBE with a reason code for each filter."""
        if self._state != OPEN:
            return
        codes = reason_codes if self.version == V5 else ()
        packet = UnsubAck(packet_id, codes, self._explain(reason, p.UNSUBACK))
        self._say(encode(packet, self.version))

    def disconnect(
        self, reason_code: ReasonCode, reason: str = "", server_reference: str | None = None
    ) -> None:
        """Close, telling a client of MQTT 5 why. The will stays due; the owner may drop it."""
        if self._state == OPEN and self.version == V5:
            properties = self._explain(reason, p.DISCONNECT, limited=False)
            if server_reference is not None:
                properties["server_reference"] = server_reference
            self._out.append(encode(Disconnect(reason_code, properties), V5))
        self._shut()

    def _say(self, packet: bytes) -> None:
        """Send a packet, or close if it is longer than the client takes [MQTT-3.1.2-24]."""
        if len(packet) <= self._peer_bytes:
            self._out.append(packet)
        else:
            self.disconnect(ReasonCode.PACKET_TOO_LARGE)

    # --- Packets ----------------------------------------------------------------------------------

    def _handle(self, packet: Packet, events: list[Event], now: float) -> None:
        if self._state == NEW:
            if not isinstance(packet, Connect):
                raise breach("The first packet is not CONNECT.")
            self._connect(packet, events)
        elif isinstance(packet, Auth):
            self._auth(packet, events)
        elif isinstance(packet, Disconnect):
            self._disconnected(packet, events)
        elif self._state == CONNECTING:
            raise breach("Only AUTH and DISCONNECT may come before the authentication ends.")
        elif isinstance(packet, PingReq):
            self._out.append(PINGRESP)
        elif isinstance(packet, Subscribe):
            self._check_subscribe(packet)
            events.append(_as_bridge(packet) if self._is_bridge else packet)
        elif isinstance(packet, Unsubscribe):
            events.append(packet)
        else:
            raise breach(f"A client may not send {type(packet).__name__} here.")

    def _connect(self, packet: Connect, events: list[Event]) -> None:
        limits, properties = self.limits, packet.properties
        self.version = packet.version
        self._is_bridge = packet.is_bridge
        self._state = CONNECTING
        if not packet.client_id and not packet.clean_start and packet.version == V311:
            raise ProtocolError(
                ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
                "A client without an identifier asks for a session that lasts.",
            )
        if packet.will and packet.will.qos > limits.maximum_qos:
            raise ProtocolError(ReasonCode.QOS_NOT_SUPPORTED, "The QoS of the will is too high.")
        if packet.will and packet.will.retain and not limits.retain_available:
            raise ProtocolError(ReasonCode.RETAIN_NOT_SUPPORTED, "The will cannot be retained.")
        self.will = packet.will
        self.keep_alive_s = packet.keep_alive
        if packet.version == V5:
            self.session_expiry_s = properties.get("session_expiry_interval", 0)
            self._asks_to_last = self.session_expiry_s > 0
            if limits.keep_alive_s:
                self.keep_alive_s = min(packet.keep_alive or 0xFFFF, limits.keep_alive_s)
            self._method = properties.get("authentication_method")
            self._window_out = min(
                limits.send_maximum, properties.get("receive_maximum", limits.send_maximum)
            )
            self._peer_bytes = properties.get("maximum_packet_size", self._peer_bytes)
            self._take_aliases(properties)
            self._problems = properties.get("request_problem_information", 1) == 1
        elif not packet.clean_start:
            self.session_expiry_s = NEVER
        self.session_expiry_s = min(self.session_expiry_s, limits.session_expiry_s)
        if packet.version == V5:
            self._offer = self._announced(packet)
        # Without enhanced authentication a client may send on before CONNACK (3.1.4).
        self._holding = self._method is None
        events.append(packet)

    def _announced(self, asked: Connect) -> Properties:
        limits = self.limits
        found: Properties = {
            "receive_maximum": limits.receive_maximum,
            "maximum_packet_size": limits.packet_bytes,
        }
        if self.session_expiry_s != asked.properties.get("session_expiry_interval", 0):
            found["session_expiry_interval"] = self.session_expiry_s
        if self.keep_alive_s != asked.keep_alive:
            found["server_keep_alive"] = self.keep_alive_s
        if limits.maximum_qos < 2:
            found["maximum_qos"] = limits.maximum_qos
        if limits.topic_alias_maximum:
            found["topic_alias_maximum"] = limits.topic_alias_maximum
        if not limits.retain_available:
            found["retain_available"] = 0
        if not limits.wildcard_subscriptions:
            found["wildcard_subscription_available"] = 0
        if not limits.subscription_identifiers:
            found["subscription_identifier_available"] = 0
        if not limits.shared_subscriptions:
            found["shared_subscription_available"] = 0
        if self._method is not None:
            found["authentication_method"] = self._method
        return found

    def _auth(self, packet: Auth, events: list[Event]) -> None:
        if self._method is None or packet.properties.get("authentication_method") != self._method:
            raise ProtocolError(
                ReasonCode.PROTOCOL_ERROR, "AUTH names another method than CONNECT did."
            )
        if self._state == CONNECTING and packet.reason_code != ReasonCode.CONTINUE_AUTHENTICATION:
            raise breach("AUTH must continue the authentication.")
        if packet.reason_code == ReasonCode.SUCCESS:
            raise breach("A client may not send AUTH with success.")
        events.append(packet)

    def _authenticate(self, reason_code: ReasonCode, data: bytes | None) -> None:
        if self._method is None or self._state == CLOSED:
            return
        properties: Properties = {"authentication_method": self._method}
        if data is not None:
            properties["authentication_data"] = data
        self._say(encode(Auth(reason_code, properties), V5))

    def _disconnected(self, packet: Disconnect, events: list[Event]) -> None:
        expiry = packet.properties.get("session_expiry_interval")
        if expiry is not None:
            if expiry and not self._asks_to_last:
                raise breach("DISCONNECT sets an expiry on a session that had none.")
            if self.session_expiry_s:  # Else none was granted to it.
                self.session_expiry_s = min(expiry, self.limits.session_expiry_s)
        if packet.reason_code == 0:
            self.will = None  # [MQTT-3.14.4-3]
        self._shut()
        events.append(packet)

    def _check_publish(self, packet: Publish) -> None:
        if packet.qos > self.limits.maximum_qos:
            raise ProtocolError(ReasonCode.QOS_NOT_SUPPORTED, f"QoS {packet.qos} was not offered.")
        if packet.retain and not self.limits.retain_available:
            raise ProtocolError(ReasonCode.RETAIN_NOT_SUPPORTED, "Messages are not retained here.")
        if "subscription_identifier" in packet.properties:
            raise breach("A client may not send a subscription identifier in PUBLISH.")

    def _check_subscribe(self, packet: Subscribe) -> None:
        limits = self.limits
        if not limits.subscription_identifiers and "subscription_identifier" in packet.properties:
            raise ProtocolError(
                ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
                "Subscription identifiers are not supported.",
            )
        for wanted in packet.subscriptions:
            group, topic_filter = split_share(wanted.topic_filter)
            if self.version == V5 and group is not None and not limits.shared_subscriptions:
                raise ProtocolError(
                    ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
                    "Shared subscriptions are not supported.",
                )
            if not limits.wildcard_subscriptions and has_wildcard(topic_filter):
                raise ProtocolError(
                    ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
                    "Wildcard subscriptions are not supported.",
                )

    def _keep(self, data: bytes, at: int, need: int) -> None:
        if self._state == NEW and data[at] != 0x10:
            raise malformed("The first packet is not CONNECT.")
        super()._keep(data, at, need)

    def _refuse(self, error: ProtocolError) -> None:
        if self._state == NEW and isinstance(error, UnknownVersion):
            # In words that the client can read: newer ones than 5 know those of 5.
            self._state, self.version = CONNECTING, V5 if error.level > V5 else V311
        if self._state == CONNECTING:
            self.refuse(sayable(error.reason_code, p.CONNACK), error.text)
        else:
            self.disconnect(sayable(error.reason_code, p.DISCONNECT), error.text)


def _as_bridge(packet: Subscribe) -> Subscribe:
    """Send a bridge nothing back, and tell it what is retained, as it would ask in MQTT 5."""
    return Subscribe(
        packet.packet_id,
        tuple(
            replace(
                wanted,
                no_local=split_share(wanted.topic_filter)[0] is None,
                retain_as_published=True,
            )
            for wanted in packet.subscriptions
        ),
    )
