"""A session at a broker."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from .connection import Connection
from .packets import Publish, Will
from .session import Outgoing, Session


class Subscribed(NamedTuple):
    """A subscription in force; `identifier` is 0 if it has none."""

    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    identifier: int = 0
    shared: str = ""
    """The filter with its group, where it is one of a group's; set where a group is kept."""


class Member:
    """A session at a broker: a principal and a client id, with a connection or without.

    Whoever builds a broker may derive from it to keep more.
    """

    __slots__ = (
        "client_id",
        "connection",
        "due_at",
        "expires_at",
        "principal",
        "session",
        "space",
        "subscriptions",
        "unreleased",
        "unreleased_bytes",
        "will",
        "will_at",
    )

    def __init__(self, principal: Hashable, client_id: str, space: Hashable = None) -> None:
        self.principal = principal
        self.client_id = client_id
        self.space = space
        """Which topics it sees: those of the same space (see `space_of`)."""
        self.session = Session()
        self.subscriptions: dict[str, Subscribed] = {}
        """By topic filter, as it was asked for; a broker changes it."""
        self.connection: Connection | None = None
        """The open connection, or the last one while what it took in is being made durable."""
        self.expires_at = 0.0
        self.unreleased: dict[int, Publish] | None = None
        """Messages of QoS 2 that wait for PUBREL, where the owner passes them on then only."""
        self.unreleased_bytes = 0
        """What these take."""
        self.will: Will | None = None
        """The will of a lost connection, waiting for its delay."""
        self.will_at = 0.0
        self.due_at = -1

    is_relay = False
    """Whether it stands for another broker: what that one has published it is not sent."""

    def accepts(self, message: Outgoing, mark: Hashable) -> bool:
        """Tell whether the session is to have a message.

        Whoever derives from this may have marked it when it was published, to know it again, and
        may keep it until later.
        """
        return True

    def space_of(self, topic_filter: str) -> Hashable:
        """Tell in which space a filter looks; the same as long as it is subscribed to.

        Whoever derives from this may let a session see several.
        """
        return self.space

    def left_over(self) -> list[Outgoing]:
        """List the messages of groups, which go to others of these once the session has ended.

        Of QoS 2 those that were never sent [MQTT-4.8.2-5].
        """
        session = self.session
        under_way = [one for one in session.inflight.values() if one.qos == 1]
        return [one for one in (*under_way, *session.queue) if one.shared]

    @property
    def is_connected(self) -> bool:
        """Whether the session has an open connection."""
        return self.connection is not None and self.connection.is_open

    @property
    def is_ready(self) -> bool:
        """Whether its connection takes messages now."""
        connection = self.connection
        return (
            connection is not None
            and connection.is_open
            and not connection.congested
            and not self.session.queue
        )
