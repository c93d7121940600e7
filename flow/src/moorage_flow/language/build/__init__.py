"""The callbacks of the parser: each rule of `grammar.lark` to its value of the syntax tree."""

from __future__ import annotations

from .definitions import Definitions, scripts
from .expressions import Expressions
from .inputs import Inputs
from .outputs import Outputs
from .patterns import Patterns

__all__ = ["Builder", "scripts"]


class Builder(Definitions, Inputs, Patterns, Outputs, Expressions):
    """Rules to values; refuses what the grammar's shape alone cannot."""
