"""Which topics devices and services may use, and what of a device's messages they say.

This is the one place where a topic is judged; it knows no socket and no database.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from moorage import devices
from moorage_mqtt import SYSTEM_TOPICS, covers, matches, split_share

from ..ports import Service, Uplink
from . import peers

ABSOLUTE = "v1/devices/"
# What services see: every application's devices and shared topics.
APPLICATIONS = "v1/applications/"
_OWN_PREFIX = "v1/"
_UPLINKS = ("v1/up", "v1/twin/reported")
# What comes down, and a device's own messages, for its other connections.
SUBSCRIBED = ("v1/op/#", "v1/twin/desired", "v1/time", "v1/up", "v1/up/#", "v1/twin/reported")
# What `uplink` takes, as filters, for brokers that check topics by themselves.
PUBLISHED = ("v1/up/#", "v1/twin/reported", "v1/op/+/result")
# What a service may see of a device.
_SHOWN = ("up/#", "twin/reported", "op/+/result")


def uplink(sender: devices.Sender, topic: str) -> Uplink | None:
    """Tell where a publish to `topic`, relative to the sender, goes; None if nowhere."""
    if topic.startswith("v1/up/") or topic in _UPLINKS:
        channel = topic[6:] if topic.startswith("v1/up") else topic[3:]
        return Uplink(sender.number, channel, is_answer(channel))
    if topic.startswith(_OWN_PREFIX):
        if is_answer(topic[3:]):
            return Uplink(sender.number, topic[3:], is_answer=True)
        return None
    old = peers.channel_of(sender, topic)
    return _by_rules(sender, topic) if old is None else Uplink(sender.number, old)


def _by_rules(sender: devices.Sender, topic: str) -> Uplink | None:
    """Tell where a publish to a topic of the application goes; what is kept goes before."""
    rights = [one for one in sender.topics if one.publish and matches(one.topic, topic)]
    if not rights:
        return None
    space = sender.application_id
    for right in rights:
        if right.operations is not None:  # Its own: nobody else hears it.
            channel = f"op/{right.operation_in(topic)}/result"
            return Uplink(sender.number, channel, is_answer=True)
    for right in rights:
        if right.channel is not None:
            return Uplink(sender.number, right.channel, space=space)
    return Uplink(sender.number, "", is_kept=False, space=space)


def may_subscribe(sender: devices.Sender, topic_filter: str) -> bool:
    """Tell whether the sender may subscribe to the filter, relative to itself."""
    if any(one.subscribe and covers(one.topic, topic_filter) for one in sender.topics):
        return True
    if space_of(sender, topic_filter) is not None:
        return False
    allowed = (*SUBSCRIBED, *peers.downlinks(sender))
    return any(covers(one, topic_filter) for one in allowed)


def space_of(sender: devices.Sender, topic_filter: str) -> UUID | None:
    """Tell whose topics a filter is about: the application's, or None for the device's own."""
    if topic_filter.startswith(_OWN_PREFIX):
        return None
    if any(covers(one, topic_filter) for one in peers.downlinks(sender)):
        return None
    if any(
        one.operations is not None and one.subscribe and covers(one.topic, topic_filter)
        for one in sender.topics
    ):
        return None  # Its commands: nobody else sends there.
    return sender.application_id


def is_answer(channel: str) -> bool:
    """Tell whether messages of a channel are answers to operations."""
    return channel.startswith("op/") and channel.endswith("/result") and channel.count("/") == 2


# --- Services -----------------------------------------------------------------


class Named(NamedTuple):
    """What a topic of a service names; `device` is None for a topic that devices share."""

    application_id: UUID
    device: str | None
    rest: str


def named(topic: str) -> Named | None:
    """Read `v1/applications/{id}/devices/{id}/...` and `v1/applications/{id}/topics/...`."""
    if not topic.startswith(APPLICATIONS):
        return None
    name, _, below = topic[len(APPLICATIONS) :].partition("/")
    kind, _, rest = below.partition("/")
    application_id = read_id(name)
    if application_id is None or not rest:
        return None
    if kind == "topics":
        return Named(application_id, None, rest)
    device, _, rest = rest.partition("/")
    return Named(application_id, device, rest) if kind == "devices" and rest else None


def shown(application_id: UUID, device_id: UUID, channel: str) -> str:
    """Give the topic by which services know a device's message of a channel."""
    rest = channel if channel == "twin/reported" or is_answer(channel) else f"up/{channel}"
    return f"{APPLICATIONS}{application_id}/devices/{device_id}/{rest.rstrip('/')}"


def shared(application_id: UUID, topic: str) -> str:
    """Give the topic by which services know what devices of an application share."""
    return f"{APPLICATIONS}{application_id}/topics/{topic}"


def service_uplink(service: Service, topic: str) -> Uplink | None:
    """Tell where a service's publish to a shared topic goes; None if it may not."""
    found = named(topic)
    if found is None or found.device is not None or found.rest.startswith(("v1/", "$")):
        return None
    if found.application_id not in service.operates:
        return None
    space = found.application_id
    return Uplink(service.number, "", is_kept=False, space=space, topic=found.rest)


def service_may_subscribe(service: Service, topic_filter: str) -> bool:
    """Tell whether a service may subscribe to a filter: of one application that it may read.

    Or of a device of its person's own.

    Alone, or as one of a group that shares the messages. An operator may hear of the listener too.
    """
    if topic_filter.startswith(SYSTEM_TOPICS):
        return service.is_operator
    found = named(split_share(topic_filter)[1])
    if found is None:
        return False
    if found.device is not None:
        is_fit = found.device == "+" or read_id(found.device) is not None
        if not is_fit or not any(covers(one, found.rest) for one in _SHOWN):
            return False
    if found.application_id in service.reads:
        return True
    device_id = None if found.device is None else read_id(found.device)
    return device_id is not None and (found.application_id, device_id) in service.reads_own


def commanded(topic: str) -> tuple[UUID, UUID] | None:
    """Read application and device of `v1/applications/{id}/devices/{id}/op`."""
    found = named(topic)
    if found is None or found.device is None or found.rest != "op":
        return None
    device_id = read_id(found.device)
    return None if device_id is None else (found.application_id, device_id)


def read_id(text: str) -> UUID | None:
    """Read an id as it is written here: in one form only, so that one topic has one name."""
    try:
        made = UUID(text)
    except ValueError:
        return None
    return made if str(made) == text else None
