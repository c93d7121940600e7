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
        self.restored: dict[str, dict[tuple[str, str], Any]] = {}
        self.owner = ""

    def holder(self, factory: Callable[[], S], *, grouped: bool = False) -> Holder[S]:
        """Make a holder named after its owner and its turn, the same in every run of the
        application.
        """
        turn = sum(1 for name in self.holders if name.startswith(f"{self.owner}:"))
        name = f"{self.owner}:{turn}"
        holder = self.holders[name] = Holder(self, factory, grouped)
        holder.states = self.restored.pop(name, holder.states)
        return holder

    def states(self) -> dict[str, dict[tuple[str, str], Any]]:
        """Give every holder's states by its name, those restored for holders yet to come too."""
        held = {name: holder.states for name, holder in self.holders.items()}
        return dict(sorted((held | self.restored).items()))

    def restore(self, states: dict[str, dict[tuple[str, str], Any]]) -> None:
        """Take over what `states` gave; what is made only with an event finds its own then."""
        for name, holder in self.holders.items():
            holder.states = states.get(name, holder.states)
        self.restored = {name: of for name, of in states.items() if name not in self.holders}

    def forget(self, gone: list[Holder[Any]]) -> None:
        """Forget holders."""
        lost = set(map(id, gone))
        self.holders = {name: h for name, h in self.holders.items() if id(h) not in lost}


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
