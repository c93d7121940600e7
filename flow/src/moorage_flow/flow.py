"""What every operator of a running application shares: its clock, its keys and its state."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .scheduler import Clock

S = TypeVar("S")


class Flow:
    """The partition and group being worked on, the clock, and the holders of all state."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.partition = ""
        self.group = ""
        self.holders: dict[str, Holder[Any]] = {}
        self.owner = ""

    def holder(self, factory: Callable[[], S], *, grouped: bool = False) -> Holder[S]:
        """Make a holder named after its owner and its turn, the same in every run of the
        application.
        """
        turn = sum(1 for name in self.holders if name.startswith(f"{self.owner}:"))
        holder: Holder[S] = Holder(self, factory, grouped)
        self.holders[f"{self.owner}:{turn}"] = holder
        return holder


class Holder(Generic[S]):
    """An operator's state: one value for each partition, and for each group where `grouped`."""

    __slots__ = ("_factory", "_flow", "_grouped", "states")

    def __init__(self, flow: Flow, factory: Callable[[], S], grouped: bool) -> None:
        self._flow = flow
        self._factory = factory
        self._grouped = grouped
        self.states: dict[tuple[str, str], S] = {}

    def get(self) -> S:
        """Give the state of the partition and group being worked on."""
        key = (self._flow.partition, self._flow.group if self._grouped else "")
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = self._factory()
        return state

    def of_all(self) -> S:
        """Give the one state there is where a state keeps every partition and group itself."""
        state = self.states.get(("", ""))
        if state is None:
            state = self.states["", ""] = self._factory()
        return state

    def of_partition(self) -> list[S]:
        """Give the states of every group of the partition being worked on."""
        partition = self._flow.partition
        return [state for (key, _), state in self.states.items() if key == partition]

    def drop(self, partitions: Set[str]) -> None:
        """Forget partitions."""
        self.states = {key: s for key, s in self.states.items() if key[0] not in partitions}
