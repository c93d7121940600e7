"""Which topics a device may use, and what of its messages they say."""

from __future__ import annotations

from moorage import devices

from ..ports import Uplink
from . import peers

ABSOLUTE = "v1/devices/"
_UPLINKS = ("v1/up", "v1/twin/reported")
# What comes down, and a device's own messages, for its other connections.
SUBSCRIBED = ("v1/op/#", "v1/twin/desired", "v1/time", "v1/up", "v1/up/#", "v1/twin/reported")
# What `uplink` takes, as filters, for brokers that check topics by themselves.
PUBLISHED = ("v1/up/#", "v1/twin/reported", "v1/op/+/result")


def uplink(sender: devices.Sender, topic: str) -> Uplink | None:
    """Tell where a publish to `topic`, relative to the sender, goes; None if nowhere."""
    if topic.startswith("v1/up/") or topic in _UPLINKS:
        channel = topic[6:] if topic.startswith("v1/up") else topic[3:]
        return Uplink(sender.number, channel, is_answer(channel))
    if topic.startswith("v1/") and is_answer(topic[3:]):
        return Uplink(sender.number, topic[3:], is_answer=True)
    old = peers.channel_of(sender, topic)
    return None if old is None else Uplink(sender.number, old)


def may_subscribe(sender: devices.Sender, topic_filter: str) -> bool:
    """Tell whether the sender may subscribe to the filter, relative to itself."""
    allowed = (*SUBSCRIBED, *peers.downlinks(sender))
    return any(_within(topic_filter, one) for one in allowed)


def is_answer(channel: str) -> bool:
    """Tell whether messages of a channel are answers to operations."""
    return channel.startswith("op/") and channel.endswith("/result") and channel.count("/") == 2


def _within(wanted: str, allowed: str) -> bool:
    """Tell whether every topic that `wanted` matches is matched by `allowed` (MQTT 4.7)."""
    if wanted == allowed:
        return True
    return allowed.endswith("/#") and wanted.startswith(allowed[:-1])
