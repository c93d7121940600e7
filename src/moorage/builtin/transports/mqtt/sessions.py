"""Sessions: what a device finds again when it comes back under the same client id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from moorage.plugin import Sender
from moorage_mqtt import Session, Will

from .wheel import Wheel

if TYPE_CHECKING:
    from .link import Link

PublishWill = Callable[[Sender, Will], None]


class Kept:
    """A session with its subscriptions; a session is a device and a client id."""

    __slots__ = (
        "children",
        "client_id",
        "due_at",
        "expires_at",
        "link",
        "sender",
        "session",
        "subscriptions",
        "takes_commands",
        "taking",
        "will",
        "will_at",
    )

    def __init__(self, sender: Sender, client_id: str) -> None:
        self.sender = sender
        self.client_id = client_id
        self.session = Session()
        self.subscriptions: dict[str, int] = {}
        """Granted QoS by topic filter."""
        self.takes_commands = False
        self.children: Mapping[str, Sender] | None = None
        """Those behind the gateway that `taking` was found among."""
        self.taking: Sequence[int] = ()
        self.link: Link | None = None
        """The connection, or the former one while messages of it are being committed."""
        self.expires_at = 0.0
        self.will: Will | None = None
        """The will of a lost connection, waiting for its delay."""
        self.will_at = 0.0
        self.due_at = -1

    @property
    def connected(self) -> bool:
        """Whether the session has an open connection."""
        return self.link is not None and self.link.core.is_open


class Sessions:
    """All sessions of one door, in memory: they end with the process."""

    def __init__(self, per_device: int, now: float, publish: PublishWill) -> None:
        self._per_device = per_device
        self._publish = publish
        self._kept: dict[int, dict[str, Kept]] = {}
        self._wheel: Wheel[Kept] = Wheel(now)

    def find(self, device: int, client_id: str) -> Kept | None:
        """Find the session of a device's client id."""
        return self._kept.get(device, {}).get(client_id)

    def of(self, device: int) -> list[Kept]:
        """List the sessions of a device."""
        return list(self._kept.get(device, {}).values())

    def connected(self) -> list[Kept]:
        """List the sessions with an open connection."""
        return [kept for own in self._kept.values() for kept in own.values() if kept.connected]

    def add(self, kept: Kept) -> None:
        """Keep a session; the device's oldest ones without connection give way."""
        own = self._kept.setdefault(kept.sender.number, {})
        idle = [one for one in own.values() if not one.connected]
        for one in idle[: max(0, len(own) - self._per_device + 1)]:
            self.remove(one)
        self._kept.setdefault(kept.sender.number, {})[kept.client_id] = kept

    def remove(self, kept: Kept) -> None:
        """Forget a session; a will that waits is published now [MQTT-3.1.2-8]."""
        if kept.will is not None:
            self._publish(kept.sender, kept.will)
            kept.will = None
        own = self._kept.get(kept.sender.number, {})
        if own.get(kept.client_id) is kept:
            del own[kept.client_id]
            if not own:
                del self._kept[kept.sender.number]

    def left(self, kept: Kept, will: Will | None, expiry_s: float, now: float) -> None:
        """Start the clocks of a session whose connection has ended."""
        delay = will.properties.get("will_delay_interval", 0) if will else 0
        if will is not None and (not delay or not expiry_s):
            self._publish(kept.sender, will)
            will = None
        if not expiry_s:
            self.remove(kept)
            return
        kept.expires_at = now + expiry_s
        kept.will, kept.will_at = will, now + delay
        self._wheel.put(kept, _next(kept))

    def tick(self, now: float) -> None:
        """Publish the wills that are due and forget the sessions that have expired."""
        for kept in self._wheel.due(now):
            if kept.connected or self.find(kept.sender.number, kept.client_id) is not kept:
                continue
            if kept.expires_at <= now:
                self.remove(kept)
                continue
            if kept.will is not None and kept.will_at <= now:
                self._publish(kept.sender, kept.will)
                kept.will = None
            self._wheel.put(kept, _next(kept))


def _next(kept: Kept) -> float:
    return min(kept.will_at, kept.expires_at) if kept.will else kept.expires_at
