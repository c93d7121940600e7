"""Topics in memory: what one application publishes, others in the same process take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = list[list[Any]]
Subscriber = Callable[[Rows], None]


class Broker:
    """Topics by name; subscribers are called in the order they came."""

    def __init__(self) -> None:
        self._topics: dict[str, list[tuple[object, Subscriber]]] = {}

    def subscribe(
        self, topic: str, subscriber: Subscriber, owner: object = None
    ) -> Callable[[], None]:
        """Take what a topic carries; give what ends it."""
        entry = (owner, subscriber)
        self._topics.setdefault(topic, []).append(entry)
        return lambda: self._topics[topic].remove(entry)

    def publish(self, topic: str, rows: Rows) -> None:
        """Give rows to everyone who listens now."""
        for _, subscriber in list(self._topics.get(topic, ())):
            subscriber(rows)

    def leave(self, owner: object) -> None:
        """End all of an owner's subscriptions."""
        for topic, entries in self._topics.items():
            self._topics[topic] = [e for e in entries if e[0] is not owner]
