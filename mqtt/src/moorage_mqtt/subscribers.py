"""Who subscribes to what in one space of topics (MQTT 5, sections 3.8 and 4.8)."""

from __future__ import annotations

from collections.abc import Mapping

from .member import Member, Subscribed
from .topics import split_share
from .tree import Tree


class Filter:
    """All who subscribe to one topic filter, alone and in groups."""

    __slots__ = ("groups", "members")

    def __init__(self) -> None:
        self.members: dict[Member, Subscribed] = {}
        self.groups: dict[str, dict[Member, Subscribed]] | None = None

    def choose(self, group: dict[Member, Subscribed]) -> tuple[Member, Subscribed]:
        """Choose the member of a group that takes the next message: one that is there, in turn."""
        chosen = _ready(group)
        subscribed = group.pop(chosen)
        group[chosen] = subscribed  # The last of the group now.
        return chosen, subscribed


class Subscribers:
    """The subscriptions of one space of topics."""

    __slots__ = ("_tree", "matching")

    def __init__(self) -> None:
        self._tree: Tree[Filter] = Tree()
        self.matching = self._tree.matching
        """Lists the filters that match a topic; asked for every message."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody subscribes to anything."""
        return self._tree.is_empty

    def add(self, member: Member, topic_filter: str, subscribed: Subscribed) -> None:
        """Add a subscription, or replace the one of the same filter."""
        group, bare = split_share(topic_filter)
        entry = self._tree.ensure(bare, Filter)
        if group is None:
            entry.members[member] = subscribed
            return
        if entry.groups is None:
            entry.groups = {}
        members = entry.groups.setdefault(group, {})
        members[member] = subscribed._replace(shared=topic_filter)

    def remove(self, member: Member, topic_filter: str) -> None:
        """Take back a subscription."""
        group, bare = split_share(topic_filter)
        entry = self._tree.get(bare)
        if entry is None:
            return
        if group is None:
            entry.members.pop(member, None)
        elif entry.groups is not None and group in entry.groups:
            entry.groups[group].pop(member, None)
            if not entry.groups[group]:
                del entry.groups[group]
        if not entry.members and not entry.groups:
            self._tree.remove(bare)

    def choose(self, shared: str, *, relays: bool) -> tuple[Member, Subscribed] | None:
        """Choose the member of a shared subscription; None if it has none.

        Args:
            shared: its filter, with the name of the group.
            relays: whether those that stand for other brokers may be chosen.
        """
        group, topic_filter = split_share(shared)
        entry = self._tree.get(topic_filter)
        if entry is None or entry.groups is None or group not in entry.groups:
            return None
        every = entry.groups[group].items()
        own = {one: how for one, how in every if relays or not one.is_relay}
        if not own:
            return None
        chosen = _ready(own)
        # The last of the group now, so that its members take turns.
        subscribed = entry.groups[group][chosen] = entry.groups[group].pop(chosen)
        return chosen, subscribed


def _ready(group: Mapping[Member, Subscribed]) -> Member:
    """Give the first that takes messages now, or else the first that is there, or the first."""
    there = None
    for one in group:
        if one.is_ready:
            return one
        if there is None and one.is_connected:
            there = one
    return there or next(iter(group))
