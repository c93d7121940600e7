"""MQTT 3.1.1 and 5 without I/O: codec, client and broker state machines."""

from .broker import Broker, Granted
from .client import ClientConnection
from .connection import Connection
from .copies import Copies
from .decode import decode
from .encode import encode
from .errors import ProtocolError, ReasonCode
from .events import Acknowledged, Delivery, Dropped, Event, Failed, Released
from .limits import NEVER, Bounds, Limits
from .member import Member, Subscribed
from .packets import (
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from .properties import Properties
from .routing import outgoing
from .server import ServerConnection
from .session import Outgoing, Session
from .topics import SYSTEM_TOPICS, check_filter, check_name, covers, matches, split_share
from .wheel import Wheel

__all__ = [
    "NEVER",
    "SYSTEM_TOPICS",
    "V5",
    "V311",
    "Acknowledged",
    "Auth",
    "Bounds",
    "Broker",
    "ClientConnection",
    "ConnAck",
    "Connect",
    "Connection",
    "Copies",
    "Delivery",
    "Disconnect",
    "Dropped",
    "Event",
    "Failed",
    "Granted",
    "Limits",
    "Member",
    "Outgoing",
    "Packet",
    "PingReq",
    "PingResp",
    "Properties",
    "ProtocolError",
    "PubAck",
    "PubComp",
    "PubRec",
    "PubRel",
    "Publish",
    "ReasonCode",
    "Released",
    "ServerConnection",
    "Session",
    "SubAck",
    "Subscribe",
    "Subscribed",
    "Subscription",
    "UnsubAck",
    "Unsubscribe",
    "Wheel",
    "Will",
    "check_filter",
    "check_name",
    "covers",
    "decode",
    "encode",
    "matches",
    "outgoing",
    "split_share",
]
