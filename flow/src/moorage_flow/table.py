"""Tables: rows in memory, found by primary key, by index or one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from .errors import AnnotationRepeated, AppInvalid, AttributeUnknown, nearest
from .events import Event, StateEvent
from .javahash import hash_order
from .language import syntax as s
from .matching import Match
from .values import NUMERIC, text

log = logging.getLogger("moorage_flow")

Assignments = list[tuple[int, Callable[[Any], Any]]]
"""Columns and what they become, of the paired event and row."""


class Table:
    """The rows of a `define table`."""

    def __init__(self, definition: s.TableDefinition) -> None:
        self.id = definition.id
        self.definition = definition
        self.attributes = definition.attributes
        if s.annotation(definition.annotations, "IndexBy") is not None:
            raise AppInvalid("@IndexBy is of the past: use @PrimaryKey or @Index", definition.place)
        self._keys = self._columns("PrimaryKey")
        self._indexed = self._columns("Index")
        for annotation in definition.annotations:
            if annotation.name.lower() == "index" and len(annotation.elements) != 1:
                raise AppInvalid(f"an index of {self.id} has one attribute", definition.place)
        self.rows: dict[int, Event] = {}
        self._next = 0
        self._by_key: dict[Any, int] = {}
        self._by_value: dict[int, dict[Any, dict[int, None]]] = {c: {} for c in self._indexed}

    def _columns(self, name: str) -> list[int]:
        found = [a for a in self.definition.annotations if a.name.lower() == name.lower()]
        if name == "PrimaryKey" and len(found) > 1:
            raise AnnotationRepeated(f"{self.id} has two primary keys", self.definition.place)
        columns: list[int] = []
        known = [a.name for a in self.attributes]
        for annotation in found:
            if not annotation.elements:
                raise AppInvalid(f"{name} of {self.id} names no attribute", self.definition.place)
            for _, attribute in annotation.elements:
                attribute = attribute.strip()
                if attribute not in known:
                    raise AttributeUnknown(
                        f"{name}: {attribute} is no attribute of {self.id}"
                        f"{nearest(attribute, known)}",
                        self.definition.place,
                    )
                if known.index(attribute) in columns:
                    raise AppInvalid(
                        f"{self.id} has {attribute} in two indexes", self.definition.place
                    )
                columns.append(known.index(attribute))
        return columns

    # --- Looking ---

    def all(self) -> list[Event]:
        """Give every row: sorted by a numeric primary key, in its hash order by another, else as
        inserted.
        """
        if not self._keys:
            return list(self.rows.values())
        single = len(self._keys) == 1 and self.attributes[self._keys[0]].type in NUMERIC
        order = sorted(self._by_key) if single else hash_order(self._by_key)
        return [self.rows[self._by_key[key]] for key in order]

    def find(self, match: Match, event: Any) -> list[Event]:
        """Give the rows that match an event."""
        paired = match.pair(event)
        return [row for _, row in self._matching(match, paired)]

    def contains(self, match: Match, event: Any) -> bool:
        """Tell whether any row matches."""
        return bool(self._matching(match, match.pair(event), first=True))

    def _matching(
        self, match: Match, paired: StateEvent, *, first: bool = False
    ) -> list[tuple[int, Event]]:
        slot = match.size - 1
        found: list[tuple[int, Event]] = []
        for number in self._candidates(match, paired):
            row = self.rows[number]
            paired.streams[slot] = [row]
            if match.holds(paired) is True:
                found.append((number, row))
                if first:
                    break
        return found

    def _candidates(self, match: Match, paired: StateEvent) -> Iterable[int]:
        wanted = dict(match.keys)
        if self._keys and all(column in wanted for column in self._keys):
            key = self._joined([wanted[column](paired) for column in self._keys])
            number = self._by_key.get(key)
            return [] if number is None else [number]
        for column in self._indexed:
            if column in wanted:
                return list(self._by_value[column].get(wanted[column](paired), ()))
        if not self._keys:
            return list(self.rows)
        single = len(self._keys) == 1 and self.attributes[self._keys[0]].type in NUMERIC
        order = sorted(self._by_key) if single else hash_order(self._by_key)
        return [self._by_key[key] for key in order]

    def _joined(self, values: list[Any]) -> Any:
        if len(values) == 1:
            return values[0]
        types = [self.attributes[column].type for column in self._keys]
        return ":-:".join(text(v, t) for v, t in zip(values, types, strict=True))

    # --- Changing ---

    def insert(self, data: list[Any], ts: int) -> bool:
        """Add a row; refuse one whose primary key is taken."""
        if self._keys:
            key = self._joined([data[column] for column in self._keys])
            if key in self._by_key:
                log.error(
                    "flow_row_refused", extra={"table": self.id, "reason": "primary key taken"}
                )
                return False
            self._by_key[key] = self._next
        self._index(self._next, data)
        self.rows[self._next] = Event(ts, data)
        self._next += 1
        return True

    def _index(self, number: int, data: list[Any]) -> None:
        for column in self._indexed:
            self._by_value[column].setdefault(data[column], {})[number] = None

    def _unindex(self, number: int, data: list[Any]) -> None:
        for column in self._indexed:
            numbers = self._by_value[column].get(data[column], {})
            numbers.pop(number, None)
            if not numbers:
                self._by_value[column].pop(data[column], None)

    def delete(self, match: Match, event: Any) -> None:
        """Remove the rows that match."""
        for number, row in self._matching(match, match.pair(event)):
            self._unindex(number, row.data)
            if self._keys:
                del self._by_key[self._joined([row.data[column] for column in self._keys])]
            del self.rows[number]

    def update(self, match: Match, assignments: Assignments, event: Any) -> bool:
        """Change the rows that match; tell whether there were any.

        Attributes are set in the order of the table's definition, whatever that of the `set`; what
        is set sees what was set before it, as in Siddhi.
        """
        paired = match.pair(event)
        changed: dict[int, Event] = {}
        ordered = sorted(assignments, key=itemgetter(0))
        for number, row in self._matching(match, paired):
            changed[number] = made = Event(row.ts, list(row.data))
            paired.streams[match.size - 1] = [made]
            for column, value in ordered:
                made.data[column] = value(paired)
        if self._keys and not self._rekey(changed):
            return True
        for number, row in changed.items():
            self._unindex(number, self.rows[number].data)
            self._index(number, row.data)
            self.rows[number] = row
        return bool(changed)

    def _rekey(self, changed: dict[int, Event]) -> bool:
        """Move changed rows to their new keys; refuse them all if two would share one."""
        old = {self._key_of(self.rows[number]): number for number in changed}
        new = {self._key_of(row): number for number, row in changed.items()}
        if old.keys() == new.keys() and len(new) == len(changed):
            return True
        if len(new) < len(changed) or any(key in self._by_key for key in new.keys() - old.keys()):
            log.error("flow_row_refused", extra={"table": self.id, "reason": "primary key taken"})
            return False
        for key in old:
            del self._by_key[key]
        self._by_key.update(new)
        return True

    def _key_of(self, row: Event) -> Any:
        return self._joined([row.data[column] for column in self._keys])

    # --- Snapshots ---

    def state(self) -> Any:
        """Give what a snapshot keeps."""
        return self.rows, self._next, self._by_key, self._by_value

    def restore(self, state: Any) -> None:
        """Take over what a snapshot kept."""
        self.rows, self._next, self._by_key, self._by_value = state
