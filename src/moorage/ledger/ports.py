"""What a message log is, for the ledger and for others that stand in for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .model import Appended, Envelope, Frame


class Log(Protocol):
    """A log of frames in partitions; a position is (partition, n), n without gaps.

    Positions are given in commit order, so a reader that has seen n has seen all before it.
    """

    async def append(self, partition: int, frames: Sequence[Frame]) -> Appended:
        """Keep frames durably, together; those whose key is known already are left out.

        Raises:
            LedgerUnavailable: nothing of it is known to be kept.
        """
        ...

    async def read(self, partition: int, after: int, limit: int) -> list[Envelope]:
        """Read from position `after` on, in order, about `limit` frames, whole envelopes.

        The first envelope may begin before `after`.
        """
        ...

    async def trim(self, partition: int, before: int) -> None:
        """Forget envelopes that end before the position."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class LogKind(Protocol):
    """A kind of message log, as a plugin offers it.

    Attributes:
        api_version: of the plugin interface it is written for.
        durable: whether what was appended outlives the process.
    """

    @property
    def api_version(self) -> int: ...

    @property
    def durable(self) -> bool: ...

    async def open(self, url: str) -> Log:
        """Open the log at an address, whose form is the kind's own; make it if it is not there."""
        ...
