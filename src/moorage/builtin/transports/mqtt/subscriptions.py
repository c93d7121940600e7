"""What a session subscribes to, within the rights of its device."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from moorage.plugin import Host
from moorage_mqtt import ReasonCode, Subscription, matches, split_share

from .sessions import Kept

_MOST = 100  # Subscriptions a session may hold.


def subscribe(kept: Kept, wanted: Subscription, host: Host) -> int:
    """Add a subscription and give the reason code of its answer."""
    topic_filter = wanted.topic_filter
    # Nobody shares with a device: its topics are its own.
    shared = split_share(topic_filter)[0] is not None
    if shared or not host.may_subscribe(kept.sender, topic_filter):
        return ReasonCode.NOT_AUTHORIZED
    if len(kept.subscriptions) >= _MOST and topic_filter not in kept.subscriptions:
        return ReasonCode.QUOTA_EXCEEDED
    kept.subscriptions[topic_filter] = wanted.qos
    _note_commands(kept)
    return wanted.qos


def unsubscribe(kept: Kept, topic_filter: str) -> int:
    """Drop a subscription and give the reason code of its answer."""
    if kept.subscriptions.pop(topic_filter, None) is None:
        return ReasonCode.NO_SUBSCRIPTION_EXISTED
    _note_commands(kept)
    return ReasonCode.SUCCESS


def review(kept: Kept, host: Host) -> None:
    """Drop what the device may no longer subscribe to."""
    for topic_filter in list(kept.subscriptions):
        if not host.may_subscribe(kept.sender, topic_filter):
            del kept.subscriptions[topic_filter]
    _note_commands(kept)


def command_topic(kept: Kept, device_id: UUID, command_id: str) -> tuple[str, int] | None:
    """Find topic and QoS under which the session takes a device's command; None if it does not.

    QoS 2 is not used: a command has an id, so a repeat does no harm.
    """
    topics = [f"v1/devices/{device_id}/op/{command_id}"]
    if device_id == kept.sender.device_id:
        topics.insert(0, f"v1/op/{command_id}")
    for topic in topics:
        if (qos := granted(kept, topic)) is not None:
            return topic, min(1, qos)
    return None


def granted(kept: Kept, topic: str) -> int | None:
    """Give the QoS at which the session subscribes to a topic; None if it does not."""
    return max(
        (qos for one, qos in kept.subscriptions.items() if matches(one, topic)), default=None
    )


def commanded(kept: Kept, host: Host) -> Sequence[int]:
    """List the devices whose commands the session takes: its own, and those behind it."""
    own = [kept.sender.number] if kept.takes_commands else []
    if not kept.sender.is_gateway or not kept.subscriptions:
        return own
    children = host.children(kept.sender)
    if kept.children is not children:
        takers = {
            child.number
            for child in children.values()
            if command_topic(kept, child.device_id, "any") is not None
        }
        kept.children, kept.taking = children, list(takers)
    return [*own, *kept.taking]


def _note_commands(kept: Kept) -> None:
    kept.takes_commands = command_topic(kept, kept.sender.device_id, "any") is not None
    kept.children = None
