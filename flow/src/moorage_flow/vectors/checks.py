"""The checks of a vector: expressions over what its callbacks and questions have got."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .rows import Mismatch, bag, same


@dataclass(slots=True)
class Batch:
    """What one call of a callback brought."""

    came: list[list[Any]]
    left: list[list[Any]]
    expired: list[bool] = field(default_factory=list)


class Checks:
    """What a vector's checks are held against."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.vector = vector
        self.batches: dict[int, list[Batch]] = {c["id"]: [] for c in vector["callbacks"]}
        self.queries: dict[int, list[list[Any]]] = {}
        self.vars: dict[str, Any] = {}

    def value(self, expr: Any) -> Any:
        """Evaluate a check's expression."""
        op, *args = expr
        match op:
            case "lit":
                return args[0]
            case "var":
                return self.variable(args[0])
            case "query":
                return self.queries.get(args[0]) or None
            case "cb":
                return self._counted(self.batches[args[0]], args[1])
            case "||":
                return any(self.value(a) for a in args)
            case "!":
                return not self.value(args[0])
            case "slice":
                low, high = self.value(args[1]), self.value(args[2])
                return (self.value(args[0]) or [])[low:high]
        values = [self.value(a) for a in args]
        match op:
            case "len":
                return len(values[0] or [])
            case "rows_of" | "data":
                return values[0] or []
            case "idx":
                return values[0][values[1]] if values[0] and len(values[0]) > values[1] else None
            case "rows_same_set":
                return bag(values[0]) == bag(values[1])
            case "rows_equal":
                return same(values[0], values[1])
            case "==":
                return same(values[0], values[1])
            case "!=":
                return not same(values[0], values[1])
            case "+":
                return values[0] + values[1]
            case ">=":
                return values[0] >= values[1]
            case "<=":
                return values[0] <= values[1]
            case ">":
                return values[0] > values[1]
            case "<":
                return values[0] < values[1]
        raise Mismatch(f"unknown expression {op}")

    def variable(self, name: str) -> Any:
        """Give what a variable of the vector counts."""
        if name in self.vars:
            return self.vars[name]
        spec = self.vector["vars"].get(name)
        if spec is None:
            raise Mismatch(f"unknown variable {name}")
        return self._variable(spec)

    def _variable(self, spec: dict[str, Any]) -> Any:
        kind = spec["kind"]
        if kind == "multi":
            values = [self._variable(part) for part in spec["parts"]]
            if spec["parts"][0]["kind"] == "last_cell":
                return next((v for v in reversed(values) if v is not None), None)
            if all(isinstance(v, bool) for v in values):
                return any(values)
            if all(isinstance(v, list) for v in values):
                return [row for v in values for row in v]
            return sum(values)
        if kind == "custom":
            raise _NotCounted
        batches = self.batches[spec["cb"]]
        if kind == "flag":
            when = spec["when"]
            seen = any(
                (when == "any" or (when == "in" and b.came) or (when == "remove" and b.left))
                for b in batches
            )
            return spec["value"] if seen else not spec["value"]
        if kind == "rows":
            source = "came" if spec["src"] == "in" else "left"
            return [row for b in batches for row in getattr(b, source)]
        if kind == "last_cell":
            rows = [row for b in batches for row in (b.came if spec["src"] == "in" else b.left)]
            return rows[-1][spec["col"]] if rows else None
        if spec.get("guards"):
            raise _NotCounted
        return self._counted(batches, kind)

    @staticmethod
    def _counted(batches: list[Batch], kind: str) -> int | bool:
        match kind:
            case "in_events" | "in_events_current":
                return sum(len(b.came) for b in batches)
            case "remove_events_current":
                return 0
            case "remove_events" | "remove_events_expired":
                return sum(len(b.left) for b in batches)
            case "in_events_expired":
                return 0
            case "remove_events_when_no_in":
                return sum(len(b.left) for b in batches if not b.came)
            case "in_arrived":
                return any(b.came for b in batches)
            case "remove_arrived":
                return any(b.left for b in batches)
            case "arrived":
                return bool(batches)
            case "calls":
                return len(batches)
            case "in_batches":
                return sum(1 for b in batches if b.came)
            case "remove_batches":
                return sum(1 for b in batches if b.left)
        raise Mismatch(f"unknown counter {kind}")


class _NotCounted(Mismatch):
    """A variable whose counting the vector does not tell."""
