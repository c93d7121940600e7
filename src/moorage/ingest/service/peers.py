"""Topics and URLs of other platforms, for the devices that come from there.

Each is taken only from a device whose credential is marked so, and only for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from moorage import devices
from moorage.devices import Platform

OS2IOT_URL = "/api/v1/receive-data"
WSO2_URL = "/api/device-mgt/v1.0/device/agent/events/publish/"
# What of WSO2 is no telemetry.
_NO_EVENTS = ("update", "operation")


def channel_of(sender: devices.Sender, topic: str) -> str | None:
    """Give the channel of what a device publishes to its old topic; None if that is not its own.

    OS2iot has one topic a device, `devices/<organization>/<application>/<device>`. WSO2 has
    `<tenant>/<type>/<id>/events`, and further names beside `events` for single values.
    """
    if sender.platform is Platform.OS2IOT and topic == sender.old_topic:
        return ""
    if sender.platform is Platform.WSO2 and sender.old_topic:
        head, _, name = topic.rpartition("/")
        if head == sender.old_topic and name and name not in _NO_EVENTS:
            return "" if name == "events" else name
    return None


def downlinks(sender: devices.Sender) -> Sequence[str]:
    """Give what a device may subscribe to besides our own topics; nothing is sent there."""
    if not sender.old_topic:
        return ()
    if sender.platform is Platform.OS2IOT:
        return (sender.old_topic,)
    return (f"{sender.old_topic}/operation/#",)


def is_wso2_path(sender: devices.Sender, path: str) -> bool:
    """Tell whether a path under `WSO2_URL` names the device: its type and its id."""
    _tenant, _, own = sender.old_topic.partition("/")
    return sender.platform is Platform.WSO2 and own != "" and path.strip("/") == own


def is_ours(path: str) -> bool:
    """Tell whether a path is one of another platform's."""
    return path == OS2IOT_URL or path.startswith(WSO2_URL)
