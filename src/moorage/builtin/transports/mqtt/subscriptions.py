"""What a session subscribes to, within the rights of its device."""

from __future__ import annotations

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


def command_topic(kept: Kept, command_id: str) -> tuple[str, int] | None:
    """Find topic and QoS under which the session takes a command; None if it does not.

    QoS 2 is not used: a command has an id, so a repeat does no harm.
    """
    for topic in (f"v1/op/{command_id}", f"v1/devices/{kept.sender.device_id}/op/{command_id}"):
        granted = [qos for wanted, qos in kept.subscriptions.items() if matches(wanted, topic)]
        if granted:
            return topic, min(1, max(granted))
    return None


def _note_commands(kept: Kept) -> None:
    kept.takes_commands = command_topic(kept, "any") is not None
