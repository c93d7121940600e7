"""What a kind of target is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from moorage.kit.outbound import Outbound

from .model import Delivery, Result


class TargetSender(Protocol):
    """An open way to one target; used by one event loop."""

    batch: int
    """Deliveries that `send` takes at once, 1 or more."""

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Result]:
        """Deliver, and tell for each delivery what became of it, in order.

        A delivery is accepted once the target has confirmed it. Several of one device follow each
        other; none may arrive before an earlier one of its device. Network failures are results
        (`outage`), never errors. Several calls may be under way at once.
        """
        ...

    def show(self, delivery: Delivery) -> str:
        """Give the request that `send` would make, as text, secrets masked."""
        ...

    async def ping(self) -> Result:
        """Tell whether the target can be reached and takes our credentials, sending no message."""
        ...

    async def close(self) -> None:
        """End connections."""
        ...


class TargetKind(Protocol):
    """One way of handing messages on; a plugin of the entry-point group `moorage.targets`."""

    api_version: int
    title: str
    schema: Mapping[str, Any]
    """JSON Schema of the settings, from which the console makes its form."""
    secrets: Mapping[str, str]
    """Secrets by name, each with a description for the form."""

    def check(self, settings: Mapping[str, Any], secrets: frozenset[str]) -> None:
        """Check settings, given which secrets are set; without I/O.

        Raises:
            FieldInvalid: names the field by a JSON Pointer below `/settings` or `/secrets`.
        """
        ...

    async def open(
        self,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        network: Outbound,
        identity: str,
    ) -> TargetSender:
        """Make a sender; connecting may wait for the first `send`.

        Args:
            settings: as checked.
            secrets: in plain text.
            network: the only way to open connections.
            identity: unique to this target, for client ids and the like.

        Raises:
            TargetUnreachable: this cannot be done just now.
        """
        ...
