"""What every window is made with, and how it checks its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import AppInvalid
from ..expressions import Compiled, Compiler
from ..flow import Flow, Holder
from ..language.syntax import Call, Type
from ..operators import Operator
from ..scheduler import Scheduler


@dataclass(slots=True)
class Setting:
    """Where a window stands.

    `expects_expired` says that someone looks at what leaves it, `searched` that a join or an
    on-demand query looks into it. `told` are the positions of the attributes that its query selects
    as they are; None: all of them.
    """

    flow: Flow
    compiler: Compiler
    expects_expired: bool
    searched: bool
    told: tuple[int, ...] | None = None

    @property
    def keeps(self) -> bool:
        """Whether a batch must be remembered after it was let out."""
        return self.expects_expired or self.searched


class WindowOperator(Operator):
    """A window: `states` holds what it keeps for each partition."""

    def __init__(self, setting: Setting, state: Callable[[], Any]) -> None:
        self.flow = setting.flow
        self.clock = setting.flow.clock
        self.setting = setting
        self.states: Holder[Any] = setting.flow.holder(state)
        self.timers: Scheduler | None = None

    def scheduler(self, handler: Callable[[int], None]) -> Scheduler:
        """Make the window's timers."""
        self.timers = Scheduler(self.clock, self.flow, handler)
        return self.timers


def expect_count(call: Call, arguments: list[Compiled], low: int, high: int | None = None) -> None:
    """Raise AppInvalid unless there are `low` to `high` arguments; `high` None: exactly `low`."""
    high = low if high is None else high
    if not low <= len(arguments) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise AppInvalid(
            f"window {call.name} takes {wanted} parameters, not {len(arguments)}", call.place
        )


def constant(call: Call, arguments: list[Compiled], at: int, *types: Type) -> Any:
    """Give a constant parameter. Raises AppInvalid."""
    argument = arguments[at]
    wanted = " or ".join(t.value for t in types)
    if not argument.constant or argument.type not in types:
        found = argument.type.value if argument.constant else "something that varies"
        raise AppInvalid(
            f"parameter {at + 1} of window {call.name} is a constant {wanted}, not {found}",
            call.place,
        )
    return argument.value


def duration(call: Call, arguments: list[Compiled], at: int) -> int:
    """Give a constant time in milliseconds. Raises AppInvalid."""
    time: int = constant(call, arguments, at, Type.INT, Type.LONG)
    return time


def period(call: Call, arguments: list[Compiled], at: int) -> int:
    """Give a constant time in milliseconds, at least one. Raises AppInvalid."""
    time = duration(call, arguments, at)
    if time < 1:
        raise AppInvalid(f"the time of window {call.name} is at least 1 ms", call.place)
    return time


def attribute(call: Call, arguments: list[Compiled], at: int, *types: Type) -> Compiled:
    """Give a parameter that is an attribute. Raises AppInvalid."""
    argument = arguments[at]
    if argument.variable is None or (types and argument.type not in types):
        wanted = f" of type {' or '.join(t.value for t in types)}" if types else ""
        raise AppInvalid(
            f"parameter {at + 1} of window {call.name} is an attribute{wanted}", call.place
        )
    return argument
