"""What brokers tell of their clients, each in its own words.

Sources, as read in November 2026:

- Mosquitto: mosquitto.conf(5), `log_dest topic`, `log_type notice` and `connection_messages`; the
  lines as 2.0 writes them.
- EMQX 5: documentation, "System Topic", client online and offline events.

RabbitMQ and VerneMQ publish nothing of the sort to MQTT clients, NATS only to its system account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ..model import BrokerKind

_MOSQUITTO = "$SYS/broker/log/N"
_EMQX = "$SYS/brokers/+/clients/+/+"
_FILTERS: Mapping[BrokerKind, str] = {
    BrokerKind.MOSQUITTO: _MOSQUITTO,
    BrokerKind.GO_AUTH: _MOSQUITTO,
    BrokerKind.EMQX: _EMQX,
}
# A name may hold what stands after it, so the last of such ends counts.
_CAME = re.compile(
    r"\d+: New client connected from (?P<address>\S+) as (?P<client>.*)"
    r" \(p(?P<version>\d), c\d, k\d+(?:, u'(?P<name>.*)')?\)\.",
    re.DOTALL,
)
_WENT = re.compile(
    r"\d+: Client (?P<client>.*?)(?P<how> disconnected\.| closed its connection\."
    r"| has exceeded timeout, disconnecting\.| already connected, closing old connection\."
    r"| disconnected: .*| disconnected due to .*)",
    re.DOTALL,
)
_CAUSES = {
    " disconnected.": "client",
    " closed its connection.": "lost",
    " has exceeded timeout, disconnecting.": "keep-alive",
    " already connected, closing old connection.": "taken-over",
}
_VERSIONS = {"1": "3.1", "2": "3.1.1", "5": "5"}
_EMQX_CAUSES = {
    "normal": "client",
    "keepalive_timeout": "keep-alive",
    "takenover": "taken-over",
    "discarded": "taken-over",
}
_EMQX_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5"}


@dataclass(frozen=True, slots=True)
class Event:
    """A client came or went; `name` is its user name, None where the broker does not repeat it."""

    connected: bool
    client_id: str
    name: str | None
    address: str = ""
    version: str = ""
    cause: str = ""


def filters(kind: BrokerKind) -> dict[str, int]:
    """Give the topic filters by which a broker tells of its clients, with their QoS."""
    topic_filter = _FILTERS.get(kind)
    return {} if topic_filter is None else {topic_filter: 1}


def read_event(kind: BrokerKind, topic: str, payload: bytes) -> Event | None:
    """Read what a broker tells; None where that is nothing of a client's coming or going."""
    if kind is BrokerKind.EMQX:
        return _emqx(topic, payload)
    return _mosquitto(payload.decode("utf-8", "replace"))


def _mosquitto(line: str) -> Event | None:
    if (came := _CAME.fullmatch(line)) is not None:
        address = came["address"].rpartition(":")[0]
        version = _VERSIONS.get(came["version"], "")
        return Event(True, came["client"], came["name"] or "", address, version)
    if (went := _WENT.fullmatch(line)) is not None:
        return Event(False, went["client"], None, cause=_CAUSES.get(went["how"], "protocol"))
    return None


class _Client(msgspec.Struct):
    """The fields of EMQX's events that are read."""

    clientid: str = ""
    username: str = ""
    ipaddress: str = ""
    proto_ver: int = 0
    reason: str = ""


_read_client = msgspec.json.Decoder(_Client).decode


def _emqx(topic: str, payload: bytes) -> Event | None:
    what = topic.rpartition("/")[2]
    if what not in ("connected", "disconnected"):
        return None
    try:
        said = _read_client(payload)
    except ValueError:
        return None
    version = _EMQX_VERSIONS.get(said.proto_ver, "")
    cause = "" if what == "connected" else _EMQX_CAUSES.get(said.reason, "lost")
    return Event(what == "connected", said.clientid, said.username, said.ipaddress, version, cause)
