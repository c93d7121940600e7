"""Retained messages (MQTT 5, section 3.3.1.3): the last one of each topic."""

from __future__ import annotations

from .errors import ReasonCode
from .limits import Bounds
from .packets import Publish
from .session import Outgoing
from .tree import Tree


class Retained:
    """The retained messages of one space of topics, bounded in number and size."""

    __slots__ = ("_bounds", "_bytes", "_count", "_tree")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._tree: Tree[Outgoing] = Tree()
        self._count = 0
        self._bytes = 0

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
            for one in self._tree.matched_by("#"):
                if one.expires_at is not None and one.expires_at <= now:
                    self._forget(one)
            former = self._tree.get(message.topic)
            if not self._has_room(kept, former):
                return ReasonCode.QUOTA_EXCEEDED
        if former is not None:
            self._forget(former)
        self._tree.set(kept.topic, kept)
        self._count += 1
        self._bytes += kept.size
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
