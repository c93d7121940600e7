"""What a session subscribes to, within the rights of its device or service."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from moorage.plugin import Host, Sender
from moorage_mqtt import (
    Broker,
    Outgoing,
    Properties,
    ReasonCode,
    Subscription,
    matches,
    split_share,
)

from .sessions import Kept


def allow(kept: Kept, wanted: Subscription, host: Host) -> int:
    """Give the QoS granted to a subscription, or the reason code that refuses it."""
    topic_filter = wanted.topic_filter
    # Only programs share the work: a group of devices would have to outlive its listeners.
    if split_share(topic_filter)[0] is not None and isinstance(kept.sender, Sender):
        return ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if not host.may_subscribe(kept.sender, topic_filter):
        return ReasonCode.NOT_AUTHORIZED
    if isinstance(kept.sender, Sender):
        space = host.space_of(kept.sender, topic_filter)
        if space is not None:
            kept.elsewhere[topic_filter] = space
    return wanted.qos


def review(kept: Kept, host: Host, broker: Broker[Kept]) -> None:
    """Drop what the device may no longer subscribe to, and what waits for it because of that."""
    if not isinstance(kept.sender, Sender):
        return  # Its sessions end with their connections.
    dropped = False
    for topic_filter in list(kept.subscriptions):
        is_there = kept.elsewhere.get(topic_filter) == host.space_of(kept.sender, topic_filter)
        if not is_there or not host.may_subscribe(kept.sender, topic_filter):
            broker.unsubscribe(kept, topic_filter)
            dropped = True
    if dropped:
        forget_spaces(kept)
        _drop_waiting(kept)
    note_commands(kept)


def forget_spaces(kept: Kept) -> None:
    """Forget the spaces of filters that are subscribed to no more."""
    for topic_filter in kept.elsewhere.keys() - kept.subscriptions.keys():
        del kept.elsewhere[topic_filter]


def _drop_waiting(kept: Kept) -> None:
    """Drop messages that no subscription left would have brought, those under way among them.

    It must not hear after the end of its right what it has not heard before. Commands, which have
    a reference, are its own.
    """
    session = kept.session

    def stays(one: Outgoing) -> bool:
        is_own = one.released or one.reference is not None
        return is_own or granted(kept, one.topic) is not None

    session.queue = [one for one in session.queue if stays(one)]
    session.queue_bytes = sum(one.size for one in session.queue)
    for packet_id in [number for number, one in session.inflight.items() if not stays(one)]:
        del session.inflight[packet_id]
    session.changed = True


def command_topic(kept: Kept, device_id: UUID, command_id: str) -> tuple[str, int] | None:
    """Find topic and QoS under which the session takes a device's command; None if it does not.

    QoS 2 is not used: a command has an id, so a repeat does no harm.
    """
    topics = [f"v1/devices/{device_id}/op/{command_id}"]
    if isinstance(kept.sender, Sender) and device_id == kept.sender.device_id:
        own = [one for one in kept.sender.topics if one.operations is not None and one.subscribe]
        topics = [f"v1/op/{command_id}", *(one.topic_of(command_id) for one in own), *topics]
    for topic in topics:
        if (qos := granted(kept, topic)) is not None:
            return topic, min(1, qos)
    return None


def answer_topic(kept: Kept, topic: str, command_id: str) -> str:
    """Give where the answer belongs to a command that comes at a topic."""
    if topic.startswith("v1/") or not isinstance(kept.sender, Sender):
        return f"{topic}/result"
    for one in kept.sender.topics:
        if one.operations is not None and one.publish:
            return one.topic_of(command_id)
    return f"v1/op/{command_id}/result"


def granted(kept: Kept, topic: str) -> int | None:
    """Give the QoS at which the session subscribes to a topic; None if it does not."""
    return max(
        (own.qos for one, own in kept.subscriptions.items() if matches(one, topic)), default=None
    )


def identifiers(kept: Kept, topic: str) -> Properties:
    """Name the subscriptions a message is for, where they have identifiers [MQTT-3.3.4-3]."""
    found = [
        own.identifier
        for one, own in kept.subscriptions.items()
        if own.identifier and matches(one, topic)
    ]
    return {"subscription_identifier": found} if found else {}


def commanded(kept: Kept, host: Host) -> Sequence[int]:
    """List the devices whose commands the session takes: its own, and those behind it."""
    own = [kept.sender.number] if kept.takes_commands else []
    if not isinstance(kept.sender, Sender) or not kept.sender.is_gateway or not kept.subscriptions:
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


def note_commands(kept: Kept) -> None:
    """Note whether the session takes commands, after its subscriptions have changed."""
    own = kept.sender.device_id if isinstance(kept.sender, Sender) else None
    kept.takes_commands = own is not None and command_topic(kept, own, "any") is not None
    kept.children = None
