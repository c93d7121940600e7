"""Runs small applications and tells what they told."""

from __future__ import annotations

from typing import Any

from moorage_flow import Clock, Runtime
from moorage_flow.extensions import Extensions

Told = tuple[str, str, list[Any]]


class Running:
    """An application whose every row is noted: ('=>' for one that came, '<=' for one that left)."""

    def __init__(
        self,
        text: str,
        *,
        extensions: Extensions | None = None,
        now: int = 0,
        started: bool = True,
    ) -> None:
        self.runtime = Runtime(text, clock=Clock(now), extensions=extensions)
        self.told: list[Told] = []
        for name in self.runtime.ends():
            self.runtime.subscribe(name, self._note(name))
        if started:
            self.runtime.start()

    def _note(self, name: str):
        def note(_ts: int, came: list[Any], left: list[Any]) -> None:
            self.told.extend(("=>", name, list(row)) for row in came)
            self.told.extend(("<=", name, list(row)) for row in left)

        return note

    def of(self, query: str) -> list[Told]:
        """Note the rows of a query too; give where they are noted."""
        told: list[Told] = []

        def note(_ts: int, came: list[Any], left: list[Any]) -> None:
            told.extend(("=>", query, list(row)) for row in came)
            told.extend(("<=", query, list(row)) for row in left)

        self.runtime.subscribe(query, note)
        return told

    def send(self, stream: str, *rows: Any, at: int | None = None) -> None:
        """Send rows as one batch."""
        self.runtime.send(stream, rows, ts=at)

    def sleep(self, ms: int) -> None:
        """Let time go by."""
        self.runtime.advance(self.runtime.flow.clock.wall + ms)

    def rows(self, name: str = "O") -> list[list[Any]]:
        """Give the rows of a stream, and forget them."""
        rows = [row for mark, of, row in self.told if of == name and mark == "=>"]
        self.told = [told for told in self.told if told[1] != name]
        return rows
