"""What an application may call, and the points where others add to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .language.syntax import Attribute, Call, Type

if TYPE_CHECKING:
    from .expressions import Compiled, Compiler
    from .operators import Operator

FunctionMaker = Callable[["Compiler", Call, "list[Compiled]"], "Compiled"]
"""Makes a function or aggregator out of its compiled arguments; raises AppInvalid for wrong ones.
"""

WindowMaker = Callable[..., "Operator"]
"""Makes a window; takes a `windows.Setting`, the call and its compiled arguments."""

StreamFunctionMaker = Callable[
    ["Compiler", Call, "list[Compiled]"], "tuple[list[Attribute], Callable[[Any], list[Any]]]"
]
"""Makes a stream function: the attributes it adds, and what gives their values for an event."""

ScriptEngine = Callable[[str, str, Type], Callable[[list[Any]], Any]]
"""Takes a function's name, body and return type, gives what runs it on its arguments."""


@dataclass(slots=True)
class Extensions:
    """Functions, aggregators, windows and stream functions by `name` or `namespace:name`; script
    engines by language.
    """

    functions: dict[str, FunctionMaker] = field(default_factory=dict)
    aggregators: dict[str, FunctionMaker] = field(default_factory=dict)
    windows: dict[str, WindowMaker] = field(default_factory=dict)
    stream_functions: dict[str, StreamFunctionMaker] = field(default_factory=dict)
    scripts: dict[str, ScriptEngine] = field(default_factory=dict)

    def merged(self, other: Extensions | None) -> Extensions:
        """Give these with another's beside and over them."""
        other = other or Extensions()
        return Extensions(
            {**self.functions, **other.functions},
            {**self.aggregators, **other.aggregators},
            {**self.windows, **other.windows},
            {**self.stream_functions, **other.stream_functions},
            {k.lower(): v for k, v in {**self.scripts, **other.scripts}.items()},
        )


def builtin() -> Extensions:
    """Give what the language itself provides."""
    from . import aggregators, functions, windows

    return Extensions(
        functions=dict(functions.FUNCTIONS),
        aggregators=dict(aggregators.AGGREGATORS),
        windows=dict(windows.WINDOWS),
        stream_functions=dict(functions.STREAM_FUNCTIONS),
    )
