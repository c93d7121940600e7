"""A device's session: what the door keeps with what the broker keeps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from moorage.plugin import Sender
from moorage_mqtt import Member

if TYPE_CHECKING:
    from .link import Link


class Kept(Member):
    """A session of a device: a device and a client id. Its topics are its own."""

    __slots__ = (
        "children",
        "lasts_s",
        "link",
        "number",
        "saving",
        "sender",
        "takes_commands",
        "taking",
    )

    def __init__(self, device: Hashable, client_id: str) -> None:
        super().__init__(device, client_id, space=device)
        self.number = cast("int", device)
        self.lasts_s = 0
        """How long it outlives its connection, in seconds; 0 if it is not kept."""
        self.saving = 0
        """How many writes of it are under way."""
        self.sender: Sender
        self.takes_commands = False
        self.children: Mapping[str, Sender] | None = None
        """Those behind the gateway that `taking` was found among."""
        self.taking: Sequence[int] = ()
        self.link: Link | None = None
        """The connection, or the former one while messages of it are being committed."""
