"""A tree of topic levels: which filters match a topic, and which topics a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_CACHED_TOPICS = 1024
_CACHED_LENGTH = 256


class _Node(Generic[T]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] | None = None
        self.value: T | None = None


class Tree(Generic[T]):
    """Values by topic name or topic filter, found by the rules of section 4.7.

    Both look-ups take time in proportion to what they find and to the levels on the way, not to
    what the tree holds.
    """

    __slots__ = ("_found", "_root")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        # What matches a topic, till the tree changes: fleets publish to few topics again and again.
        self._found: dict[str, tuple[T, ...]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether the tree holds nothing."""
        return not self._root.children

    def get(self, path: str) -> T | None:
        """Find what was set at exactly this name or filter."""
        node: _Node[T] | None = self._root
        for level in path.split("/"):
            if node is None or node.children is None:
                return None
            node = node.children.get(level)
        return None if node is None else node.value

    def ensure(self, path: str, make: Callable[[], T]) -> T:
        """Find what was set at a name or filter, or set it."""
        node = self._root
        for level in path.split("/"):
            if node.children is None:
                node.children = {}
            node = node.children.setdefault(level, _Node())
        if node.value is None:
            node.value = make()
            self._found.clear()
        return node.value

    def set(self, path: str, value: T) -> None:
        """Set the value at a name or filter."""
        self.remove(path)
        self.ensure(path, lambda: value)

    def remove(self, path: str) -> None:
        """Forget what was set at a name or filter, and the levels only it used."""
        way: list[tuple[_Node[T], str]] = []
        node = self._root
        for level in path.split("/"):
            if node.children is None or level not in node.children:
                return
            way.append((node, level))
            node = node.children[level]
        node.value = None
        self._found.clear()
        for parent, level in reversed(way):
            children = parent.children
            if children is None or children[level].children or children[level].value is not None:
                return
            del children[level]
            if not children:
                parent.children = None

    def matching(self, topic: str) -> tuple[T, ...]:
        """List the values of the filters that match a topic name."""
        if (known := self._found.get(topic)) is not None:
            return known
        found: list[T] = []
        nodes = [self._root]
        levels = topic.split("/")
        for depth, level in enumerate(levels):
            below: list[_Node[T]] = []
            # A wildcard in the first level matches no topic that begins with $ [MQTT-4.7.2-1].
            wild = depth > 0 or not topic.startswith("$")
            for node in nodes:
                children = node.children
                if children is None:
                    continue
                if wild:
                    _add(children.get("#"), found)
                    if (any_one := children.get("+")) is not None:
                        below.append(any_one)
                if (same := children.get(level)) is not None:
                    below.append(same)
            nodes = below
        for node in nodes:
            _add(node, found)
            if node.children is not None:  # "a/#" matches "a" as well.
                _add(node.children.get("#"), found)
        result = tuple(found)
        if len(topic) <= _CACHED_LENGTH:
            if len(self._found) >= _CACHED_TOPICS:
                self._found.clear()
            self._found[topic] = result
        return result

    def everything(self) -> list[T]:
        """List all values."""
        return list(_all(self._root, hidden=False, itself=True))

    def matched_by(self, topic_filter: str) -> list[T]:
        """List the values of the topic names that a filter matches."""
        nodes = [self._root]
        levels = topic_filter.split("/")
        for depth, level in enumerate(levels):
            if level == "#":
                return [
                    value
                    for node in nodes
                    for value in _all(node, hidden=depth == 0, itself=depth > 0)
                ]
            below: list[_Node[T]] = []
            for node in nodes:
                children = node.children or {}
                if level == "+":
                    below += (
                        child
                        for name, child in children.items()
                        if depth or not name.startswith("$")
                    )
                elif (same := children.get(level)) is not None:
                    below.append(same)
            nodes = below
        return [node.value for node in nodes if node.value is not None]


def _add(node: _Node[T] | None, found: list[T]) -> None:
    if node is not None and node.value is not None:
        found.append(node.value)


def _all(node: _Node[T], *, hidden: bool, itself: bool) -> Iterator[T]:
    """Go through a node and all below it; those that begin with $ are `hidden` from a first #."""
    waiting = [node]
    first = True
    while waiting:
        here = waiting.pop()
        if here.value is not None and (itself or not first):
            yield here.value
        children = here.children or {}
        waiting += (
            child
            for name, child in children.items()
            if not (first and hidden and name.startswith("$"))
        )
        first = False
