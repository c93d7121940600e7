"""What a plan says of a pattern of two events: conditions, comparisons, what is selected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..language.syntax import Attribute, Type
from .matching import Plainly
from .selecting import Selecting
from .vector import Vector, View

_REAL = {Type.FLOAT, Type.DOUBLE}

Mask = Callable[[View], Any]


@dataclass(slots=True)
class Test:
    """A comparison between an A and a B: its position in `TESTS` of the kernels, and both sides."""

    op: int
    first: Vector
    second: Vector

    @property
    def real(self) -> bool:
        """Tell whether it compares floats."""
        return self.first.kind in _REAL or self.second.kind in _REAL


@dataclass(slots=True)
class Following:
    """`every A -> B within`, compiled.

    `enters` tells which events become an A, `able` which A any B completes, `asks` which events may
    be a B. `key` are two sides that must be equal.
    """

    attributes: tuple[tuple[Attribute, ...], tuple[Attribute, ...]]
    same: bool
    within: int
    enters: list[Mask]
    able: list[Mask]
    asks: list[Mask]
    key: tuple[Vector, Vector] | None
    tests: list[Test]
    selecting: Selecting
    plainly: Plainly | None = None
    """The same as a kernel takes it whole, where it can."""
