"""Lists of the command line: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, Parameter(name="--json", negative="")]


def show(
    rows: Sequence[Mapping[str, str]],
    *,
    as_json: bool,
    colour: Callable[[Mapping[str, str]], str] = lambda _row: "",
    empty: str = "Nothing to list.",
) -> None:
    """Print rows that have the same columns.

    Args:
        rows: by the title of the column.
        as_json: print a list of objects.
        colour: style of a row in the table.
        empty: said to people where there are none.
    """
    if as_json:
        sys.stdout.write(json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n")
        return
    if not rows:
        sys.stdout.write(f"{empty}\n")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()), style=colour(row))
    # Piped into another program, nothing is cut off.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
