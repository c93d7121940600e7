"""The callbacks of the parser for selection, output, queries and partitions."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer

from ...errors import AttributeRepeated, SyntaxInvalid
from .. import syntax as s
from .tokens import annotations_of, place_of, settled, variable_of, without_annotations


class Outputs(Transformer[Any, Any]):
    """Rules to values."""

    def output_attribute(self, children: list[Any]) -> s.OutputAttribute:
        expression = children[0]
        place = expression.place
        if len(children) == 3:
            return s.OutputAttribute(expression, str(children[2]), place)
        if not isinstance(expression, s.Variable):
            raise SyntaxInvalid(
                "an expression needs a name: 'as' and the attribute", place, ("as",)
            )
        return s.OutputAttribute(expression, expression.attribute, place)

    def select(self, children: list[Any]) -> s.Select:
        group, having, order, limit, offset = children[-5:]
        return s.Select(
            _chosen(children),
            group or (),
            having,
            order or (),
            limit,
            offset,
            place_of(children[0]),
        )

    def group_select(self, children: list[Any]) -> s.Select:
        return s.Select(_chosen(children), children[-1] or (), place=place_of(children[0]))

    def group_by(self, children: list[Any]) -> tuple[s.Variable, ...]:
        return tuple(variable_of(c) for c in children[2:])

    def having(self, children: list[Any]) -> Any:
        return children[1]

    def order_by(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children[2:])

    def order_part(self, children: list[Any]) -> tuple[s.Variable, bool]:
        return variable_of(children[0]), children[1] is not None and children[1].type == "DESC"

    def limit(self, children: list[Any]) -> Any:
        return children[1]

    def offset(self, children: list[Any]) -> Any:
        return children[1]

    def rate(self, children: list[Any]) -> s.Rate:
        words = [c for c in children if c is not None]
        kind = words[1].lower() if words[1].type in {"ALL", "FIRST", "LAST"} else "all"
        if isinstance(words[-1], Token):
            return s.EventRate(kind, int(words[-2]))
        return s.TimeRate(kind, words[-1])

    def snapshot_rate(self, children: list[Any]) -> s.SnapshotRate:
        return s.SnapshotRate(children[-1])

    def event_type(self, children: list[Token]) -> s.Events:
        return s.Events(children[0].lower()) if len(children) == 2 else s.Events.CURRENT

    def insert_output(self, children: list[Any]) -> s.Insert:
        _, events, _, target = children
        return s.Insert(target, events)

    def delete_output(self, children: list[Any]) -> s.Delete:
        _, target, _, events, _, on = children
        return s.Delete(target, events, on)

    def update_output(self, children: list[Any]) -> s.Update:
        _, target, _, events, assignments, _, on = children
        return s.Update(target, events, assignments, on)

    def update_or_insert_output(self, children: list[Any]) -> s.UpdateOrInsert:
        target, _, events, assignments, _, on = children[4:]
        return s.UpdateOrInsert(target, events, assignments, on)

    def return_output(self, children: list[Any]) -> s.Return:
        return s.Return(children[1])

    def set_clause(self, children: list[Any]) -> tuple[s.Assignment, ...]:
        return tuple(children[1:])

    def assignment(self, children: list[Any]) -> s.Assignment:
        return s.Assignment(variable_of(children[0]), children[1])

    def query(self, children: list[Any]) -> s.Query:
        start, source, select, rate, output = without_annotations(children)
        place = place_of(start)
        output = settled(output, rate, place)
        return s.Query(source, select or s.Select(), rate, output, annotations_of(children), place)

    def partition(self, children: list[Any]) -> s.Partition:
        rest = without_annotations(children)
        keys = tuple(c for c in rest if isinstance(c, s.ValueKey | s.RangeKey))
        queries = tuple(c for c in rest if isinstance(c, s.Query))
        return s.Partition(keys, queries, annotations_of(children), place_of(rest[0]))

    def value_key(self, children: list[Any]) -> s.ValueKey:
        return s.ValueKey(children[0], str(children[2]))

    def range_key(self, children: list[Any]) -> s.RangeKey:
        ranges = tuple(c for c in children if isinstance(c, tuple))
        return s.RangeKey(ranges, str(children[-1]))

    def range_part(self, children: list[Any]) -> tuple[Any, str]:
        return children[0], str(children[2])

    def store(self, children: list[Any]) -> s.Store:
        name, _, alias, _, on, within = children
        return s.Store(str(name), str(alias) if alias else None, on, within)

    def find(self, children: list[Any]) -> s.OnDemandQuery:
        return s.OnDemandQuery(children[1], children[2] or s.Select(), None)

    def on_demand_write(self, children: list[Any]) -> s.OnDemandQuery:
        output = settled(children[1], None, s.NOWHERE)
        if children[0] is None and isinstance(output, s.Insert | s.UpdateOrInsert):
            raise SyntaxInvalid("what is inserted is selected first", output.target.place)
        return s.OnDemandQuery(None, children[0] or s.Select(), output)


def _chosen(children: list[Any]) -> tuple[s.OutputAttribute, ...]:
    attributes = tuple(c for c in children if isinstance(c, s.OutputAttribute))
    names: set[str] = set()
    for attribute in attributes:
        if attribute.name in names:
            raise AttributeRepeated(f"{attribute.name} is selected twice", attribute.place)
        names.add(attribute.name)
    return attributes
