"""Retained messages (MQTT 5, section 3.3.1.3): the last one of each topic."""

from __future__ import annotations

from math import inf

from .errors import ReasonCode
from .limits import Bounds
from .packets import Publish
from .session import Outgoing
from .tree import Tree

# To look through all for what has expired takes long where there is much.
_LOOK_AGAIN_S = 1.0


class Retained:
    """The retained messages of one space of topics, bounded in number and size."""

    __slots__ = ("_bounds", "_bytes", "_count", "_earliest", "_looked_at", "_tree")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._tree: Tree[Outgoing] = Tree()
        self._count = 0
        self._bytes = 0
        self._earliest = inf  # Nothing expires before.
        self._looked_at = -inf

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._count

    def keep(self, message: Publish, now: float) -> int:
        """Keep a message in place of the former one of its topic; an empty one clears it.

        Returns:
            SUCCESS, or QUOTA_EXCEEDED if as much is kept already or the topic has too many levels;
            the former one then stays.
        """
        former = self._tree.get(message.topic)
        if not message.payload:  # [MQTT-3.3.1-6, -7].
            if former is not None:
                self._forget(former)
            return ReasonCode.SUCCESS
        if message.topic.count("/") >= self._bounds.levels:
            return ReasonCode.QUOTA_EXCEEDED
        expiry = message.properties.get("message_expiry_interval")
        kept = Outgoing(
            message.topic,
            message.payload,
            message.qos,
            retain=True,
            properties=message.properties,
            expires_at=None if expiry is None else now + expiry,
        )
        if not self._has_room(kept, former):
            self._make_room(now)
            former = self._tree.get(message.topic)
            if not self._has_room(kept, former):
                return ReasonCode.QUOTA_EXCEEDED
        if former is not None:
            self._forget(former)
        self._tree.set(kept.topic, kept)
        self._count += 1
        self._bytes += kept.size
        if kept.expires_at is not None:
            self._earliest = min(self._earliest, kept.expires_at)
        return ReasonCode.SUCCESS

    def find(self, topic_filter: str, now: float) -> list[Outgoing]:
        """List what a filter matches and has not expired [MQTT-3.3.2-5]."""
        found = []
        for one in self._tree.matched_by(topic_filter):
            if one.expires_at is not None and one.expires_at <= now:
                self._forget(one)
            else:
                found.append(one)
        return found

    def _make_room(self, now: float) -> None:
        """Forget what has expired, unless nothing can have, or it was looked for just now."""
        if now < max(self._earliest, self._looked_at + _LOOK_AGAIN_S):
            return
        self._looked_at, self._earliest = now, inf
        for one in self._tree.everything():
            if one.expires_at is None:
                continue
            if one.expires_at <= now:
                self._forget(one)
            else:
                self._earliest = min(self._earliest, one.expires_at)

    def _has_room(self, message: Outgoing, former: Outgoing | None) -> bool:
        count, size = (0, 0) if former is None else (1, former.size)
        return (
            self._count - count < self._bounds.retained_messages
            and self._bytes - size + message.size <= self._bounds.retained_bytes
        )

    def _forget(self, message: Outgoing) -> None:
        self._tree.remove(message.topic)
        self._count -= 1
        self._bytes -= message.size
