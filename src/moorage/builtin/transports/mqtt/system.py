"""`$SYS`: what an operator's program may hear of the listener it is connected to.

The topics are Mosquitto's (mosquitto(8), Broker status), those that mean something here. They are
told every ten seconds while somebody subscribes, and at once to whoever begins to.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from moorage_mqtt import SYSTEM_TOPICS, Publish, Subscribe, matches

from .sessions import EVERYBODY, SERVICES

if TYPE_CHECKING:
    from .door import Door
    from .line import Line

EVERY_S = 10.0
_PREFIX = SYSTEM_TOPICS + "broker/"
# Where a Mosquitto that passes messages on says, also as its will, whether it is up: "1" or "0".
_BRIDGES = _PREFIX + "connection/+/state"
_VERSION = version("moorage")


def is_reserved(topic: str) -> bool:
    """Tell whether the listener alone publishes to a topic: below `$SYS` (MQTT 5, 4.7.2)."""
    return topic.startswith(SYSTEM_TOPICS) and not matches(_BRIDGES, topic)


class System:
    """The figures of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._space = EVERYBODY if door.settings.is_open else SERVICES
        self._since = door.time()
        self._told = door.time()
        # Of connections that have ended.
        self._received = self._sent = 0

    def gone(self, line: Line) -> None:
        """Keep what a connection counted."""
        self._received += line.messages_in
        self._sent += line.core.sent

    def tick(self, now: float) -> None:
        """Tell, if it is time."""
        if now - self._told >= EVERY_S:
            self.tell(now)

    def asked(self, packet: Subscribe, now: float) -> None:
        """Tell at once if somebody has begun to subscribe."""
        if any(one.topic_filter.startswith(SYSTEM_TOPICS) for one in packet.subscriptions):
            self.tell(now)

    def tell(self, now: float) -> None:
        """Send each figure to those here who subscribe to it."""
        self._told = now
        broker = self._door.broker
        if not broker.has_subscribers(self._space):
            return
        for name, value in self._figures(now).items():
            publish = Publish(_PREFIX + name, str(value).encode())
            if broker.is_heard(self._space, publish):
                broker.relay(self._space, publish, now, None)
        self._door.send_later()

    def _figures(self, now: float) -> dict[str, object]:
        links = self._door.links
        return {
            "version": f"moorage {_VERSION}",
            "uptime": f"{int(now - self._since)} seconds",
            "clients/connected": sum(1 for link in links if link.kept is not None),
            "clients/total": len(self._door.broker.members()),
            "publish/messages/received": self._received + sum(link.messages_in for link in links),
            "publish/messages/sent": self._sent + sum(link.core.sent for link in links),
        }
