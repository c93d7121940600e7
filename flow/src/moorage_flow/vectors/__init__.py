"""Runs conformance vectors: recorded apps and steps, with the rows another engine gave for them.

The format is a JSON list of vectors; each has apps (texts), steps, callbacks, variables and
`golden`, the recorded trace. A vector passes when every step that must fail fails and no other,
every check holds, and every callback gets the recorded rows in the recorded order. All of it runs
on a clock that only `sleep` and `wait` move.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import FlowError
from ..runtime import Path as Path_
from .player import Player, Unplanned
from .rows import Mismatch

__all__ = ["Mismatch", "Unplanned", "VectorsInvalid", "load", "run"]


class VectorsInvalid(FlowError):
    """A file that holds no vectors."""


def load(path: Path) -> list[dict[str, Any]]:
    """Read a file of vectors. Raises VectorsInvalid: it is none."""
    try:
        vectors: Any = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise VectorsInvalid(f"{path} is no file of vectors: {error}") from None
    wanted = {"name", "apps", "steps", "callbacks", "golden"}
    if not isinstance(vectors, list) or not all(
        isinstance(one, dict) and wanted <= one.keys() for one in vectors
    ):
        raise VectorsInvalid(f"{path} is no list of vectors with {', '.join(sorted(wanted))}")
    found: list[dict[str, Any]] = vectors
    return found


def run(vector: dict[str, Any], path: Path_ = "reference") -> None:
    """Run one vector on a path.

    Raises:
        Mismatch: the first difference.
        Unplanned: the path is `columnar`, and not all of the vector's queries run on columns.
    """
    Player(vector, path).play()
