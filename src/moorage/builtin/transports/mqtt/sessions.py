"""A session at the door: what it keeps with what the broker keeps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from moorage.plugin import Sender, Service, Uplink
from moorage_mqtt import Member, Outgoing, Will

if TYPE_CHECKING:
    from .link import Link


SERVICES = "services"
"""The space of topics that services see: every application's, each below its id."""
EVERYBODY = 0
"""The number of whoever connects to an open door, and the one space there."""


class Mark(NamedTuple):
    """By which listener a shared message was published, and at what place of its order.

    The place is 0 if it was not written down (see `Routes.mark`).
    """

    listener_id: UUID
    place: int


class Handed(NamedTuple):
    """What one of a group left behind: how often it has gone from listener to listener."""

    hops: int


class WillAs(NamedTuple):
    """What a will becomes when it is published: a message under an id of its own.

    The id is made with the connection and is kept, so that the will is stored once, whoever
    publishes it.
    """

    id: str
    uplink: Uplink


class Kept(Member):
    """A session of a device or a service, and a client id. A device's topics are its own."""

    __slots__ = (
        "behind",
        "children",
        "elsewhere",
        "going",
        "heard",
        "is_kept",
        "lasts_s",
        "link",
        "number",
        "saving",
        "sender",
        "takes_commands",
        "taking",
        "will_as",
    )

    def __init__(self, device: Hashable, client_id: str) -> None:
        self.number = cast("int", device)
        super().__init__(device, client_id, space=device if self.number >= 0 else SERVICES)
        self.elsewhere: dict[str, UUID] = {}
        """The application whose topics a filter is about, of those that are not about its own."""
        self.heard: dict[UUID, int] = {}
        """The last place in each listener's order that it has heard of what devices share."""
        self.behind: list[tuple[Outgoing, Mark]] | None = None
        """What waits until it has caught up with what others were told before (see `catching`)."""
        self.lasts_s = 0
        """How long it outlives its connection, in seconds; 0 if it is not kept."""
        self.is_kept = False
        """Whether it was written, or is being: because it lasts, or because of its will."""
        self.saving = 0
        """How many writes of it are waited for."""
        self.will_as: WillAs | None = None
        """What becomes of its will."""
        self.going: Will | None = None
        """Its will, while that is on its way to the ledger."""
        self.sender: Sender | Service
        self.takes_commands = False
        self.children: Mapping[str, Sender] | None = None
        """Those behind the gateway that `taking` was found among."""
        self.taking: Sequence[int] = ()
        self.link: Link | None = None
        """The connection, or the former one while messages of it are being committed."""

    def accepts(self, message: Outgoing, mark: Hashable) -> bool:
        """Tell whether the session is to have a message now; each that has a place once."""
        if not isinstance(mark, Mark):
            return True
        if mark.place and mark.place <= self.heard.get(mark.listener_id, 0) and self.number >= 0:
            return False
        if self.behind is not None:
            self.behind.append((message, mark))
            return False
        if mark.place:
            self.heard[mark.listener_id] = mark.place
        return True

    def left_over(self) -> list[Outgoing]:
        """List what may go to another of its group, also what has waited to be delivered."""
        waiting = [message for message, _ in self.behind or () if message.qos and message.shared]
        return [*super().left_over(), *waiting]

    def space_of(self, topic_filter: str) -> Hashable:
        """Tell in which space a filter looks."""
        return self.elsewhere.get(topic_filter, self.space)
