"""Patterns and sequences as MATCH_RECOGNIZE.

Source: ISO/IEC 19075-5 (row pattern recognition in SQL); Apache Flink 2.x, Pattern Recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..language import syntax as s
from .expressions import NotMapped, Sql, Translator, interval, name

Attributes = dict[str, s.Type]


@dataclass(frozen=True, slots=True)
class _Step:
    """One row pattern variable: `symbol` in SQL, `alias` in the application."""

    symbol: str
    alias: str | None
    condition: s.Expression | None
    quantifier: str
    many: bool


def match(query: s.Query, given: s.StateInput, attributes: Attributes, keys: Sequence[str]) -> str:
    """Translate a pattern over one stream. Raises NotMapped."""
    state, skip = _every(given.state, query.place)
    steps = [_step(part, at, given.sequence) for at, part in enumerate(_chain(state))]
    if steps[-1].many:
        raise NotMapped("a count at the end", "Flink takes no greedy last variable", query.place)
    if given.sequence and skip == "TO NEXT ROW" and any(step.many for step in steps):
        # What a counted state takes begins no match of its own here; the last event does.
        skip = f"TO LAST {steps[-1].symbol}"
    translators = [Translator(_Names(steps, attributes, at)) for at in range(len(steps))]
    measures = Translator(_Names(steps, attributes, None))
    named = {a.name: _measure(a.name, keys) for a in query.select.attributes}
    selected = [
        f"{measures.value(a.expression).text} AS {name(named[a.name])}"
        for a in query.select.attributes
    ]
    if not selected:
        raise NotMapped("select * of a pattern", "name the attributes", query.place)
    pattern = " ".join(_pattern(steps, given.sequence))
    within = f" WITHIN {interval(given.within_ms)}" if given.within_ms is not None else ""
    defined = [
        f"{step.symbol} AS {t.translate(step.condition).text}"
        for step, t in zip(steps, translators, strict=True)
        if step.condition is not None
    ]
    partition = f"  PARTITION BY {', '.join(map(name, keys))}\n" if keys else ""
    columns = ", ".join([*(_column(*both) for both in named.items()), "`rowtime`"])
    lines = ",\n    ".join([*selected, "MATCH_ROWTIME() AS `rowtime`"])
    define = f"\n  DEFINE\n    {(',' + chr(10) + '    ').join(defined)}" if defined else ""
    source = _stream(state, query)
    return (
        f"SELECT {columns}\nFROM {name(source)}\nMATCH_RECOGNIZE (\n{partition}"
        f"  ORDER BY `rowtime`\n  MEASURES\n    {lines}\n  ONE ROW PER MATCH\n"
        f"  AFTER MATCH SKIP {skip}\n  PATTERN ({pattern}){within}{define}\n)"
    )


def _measure(selected: str, keys: Sequence[str]) -> str:
    """Name a measure; those of the keys are the match's columns already."""
    while selected in keys:
        selected += "_"
    return selected


def _column(selected: str, measure: str) -> str:
    return name(measure) if measure == selected else f"{name(measure)} AS {name(selected)}"


def stream(given: s.StateInput, query: s.Query) -> str:
    """Give the one stream a pattern reads. Raises NotMapped."""
    state, _ = _every(given.state, query.place)
    return _stream(state, query)


def _every(state: s.State, place: s.Place) -> tuple[s.State, str]:
    """Give the states behind `every`, and where the next match begins."""
    if isinstance(state, s.EveryState):
        return state.state, "PAST LAST ROW"
    first: s.State = state
    while isinstance(first, s.NextState):
        first = first.first
    if isinstance(first, s.EveryState) and isinstance(first.state, s.StreamState):
        return state, "TO NEXT ROW"
    if isinstance(first, s.EveryState):
        raise NotMapped("every (…) -> …", "a group cannot begin again by itself", place)
    raise NotMapped("a pattern without every", "MATCH_RECOGNIZE never stops after one match", place)


def _chain(state: s.State) -> list[s.State]:
    if isinstance(state, s.NextState):
        return [*_chain(state.first), *_chain(state.second)]
    return [state]


def _stream(state: s.State, query: s.Query) -> str:
    names = set()
    for part in _chain(state):
        single = _single(part)
        if single.source.key != single.source.id:
            raise NotMapped(single.source.key, "inner and fault streams have no table", query.place)
        names.add(single.source.id)
    if len(names) > 1:
        raise NotMapped(
            f"a pattern over {', '.join(sorted(names))}",
            "MATCH_RECOGNIZE reads one table; fill one stream from them",
            query.place,
        )
    return names.pop()


def _single(part: s.State) -> s.Single:
    match part:
        case s.StreamState(stream=single) | s.CountState(stream=single):
            return single
        case s.EveryState(state=s.StreamState(stream=single)):
            return single
        case s.AbsentState(stream=single):
            raise NotMapped(
                "not", "no variable stands for a row that is missing", single.source.place
            )
        case s.LogicalState(op=op):
            raise NotMapped(op, "Flink takes neither alternation nor PERMUTE")
        case _:
            raise NotMapped("every", "only the first state of a pattern begins again")


def _step(part: s.State, at: int, sequence: bool) -> _Step:
    single = _single(part)
    conditions = [h.condition for h in single.handlers if isinstance(h, s.Filter)]
    if len(conditions) != len(single.handlers) or len(conditions) > 1:
        raise NotMapped("a pattern's stream", "only one filter", single.source.place)
    quantifier = ""
    if isinstance(part, s.CountState):
        if not sequence:
            raise NotMapped("a count in a pattern", "Flink takes no quantifier of a group")
        least = "" if part.least == s.ANY else part.least
        most = "" if part.most == s.ANY else part.most
        # As few as possible: here the next state takes an event as soon as it can, and there a
        # greedy state never gives back.
        quantifier = f"{{{least or 0},{most}}}?"
    condition = conditions[0] if conditions else None
    return _Step(f"E{at + 1}", single.alias, condition, quantifier, bool(quantifier))


def _pattern(steps: list[_Step], sequence: bool) -> list[str]:
    """Write the variables; in a pattern anything may stand between two, as little as possible."""
    words: list[str] = []
    for at, step in enumerate(steps):
        if at and not sequence:
            words.append(f"ANY{at}*?")
        words.append(step.symbol + step.quantifier)
    return words


@dataclass(frozen=True, slots=True)
class _Names:
    """Finds attributes of the steps; `current` is the step whose filter it is."""

    steps: list[_Step]
    attributes: Attributes
    current: int | None

    def __call__(self, variable: s.Variable) -> Sql:
        at = self.current
        if variable.stream is not None:
            at = next((i for i, p in enumerate(self.steps) if p.alias == variable.stream), at)
        if at is None or variable.attribute not in self.attributes:
            raise NotMapped(variable.attribute, "say which state it is of", variable.place)
        step, kind = self.steps[at], self.attributes[variable.attribute]
        text = f"{step.symbol}.{name(variable.attribute)}"
        index = variable.index
        if index is None and step.many and at != self.current:
            raise NotMapped(variable.attribute, "a list of all events has no type", variable.place)
        if index is None or (index == 0 and not step.many):
            return Sql(text, kind)
        if index >= 0:
            return Sql(f"FIRST({text}, {index})" if index else f"FIRST({text})", kind)
        back = s.LAST - index
        return Sql(f"LAST({text}, {back})" if back else f"LAST({text})", kind)
