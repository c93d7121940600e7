"""Applications as Flink SQL: what maps is written, what does not is named with the reason.

Streams nobody fills become tables, the others views over them; all have the column `rowtime`, the
time attribute.

Source: Apache Flink 2.x, Table API & SQL: CREATE statements, Window TVF, OVER, Interval Joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..app import App
from ..language import syntax as s
from ..runtime import Runtime
from . import patterns
from .expressions import TYPES, NotMapped, Sql, Translator, has_aggregator, interval, name

ROWTIME = "rowtime"


@dataclass(frozen=True, slots=True)
class Translation:
    """The statements, and what did not map: (where, construct, reason)."""

    statements: list[str]
    missing: list[tuple[s.Place, str, str]]


def translate(app: App) -> Translation:
    """Translate an application. Raises AppInvalid where it does not run here either."""
    runtime = Runtime(app.sandbox())
    work = _Work(runtime)
    for definition in app.syntax.definitions:
        if not isinstance(definition, s.StreamDefinition):
            kind = type(definition).__name__.removesuffix("Definition").lower()
            work.missing.append((definition.place, f"define {kind}", _REASONS[kind]))
    for execution in app.syntax.executions:
        if isinstance(execution, s.Query):
            work.take(execution, {})
            continue
        try:
            keys = _keys(execution)
        except NotMapped as error:
            work.miss(error, execution.place)
            for query in execution.queries:
                work.lack(query)
            continue
        for query in execution.queries:
            work.take(query, keys)
    return Translation(work.statements(app.syntax), work.missing)


_REASONS = {
    "table": "tables in memory that queries change have no counterpart; use a connector's",
    "window": "a window is part of a query there and cannot be shared",
    "trigger": "nothing in Flink SQL happens by the clock alone",
    "function": "functions are registered as Java, Scala or Python classes",
    "aggregation": "there are no aggregations kept to be asked; write TUMBLE queries into tables",
}


def _keys(partition: s.Partition) -> dict[str, str]:
    """Give the key attribute by stream. Raises NotMapped."""
    keys = {}
    for key in partition.keys:
        if not isinstance(key, s.ValueKey) or not isinstance(key.expression, s.Variable):
            raise NotMapped("partition", "only attributes are keys; select ranges into one before")
        keys[key.stream] = key.expression.attribute
    return keys


class _Work:
    """What has been translated so far: selects by the stream they fill."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.missing: list[tuple[s.Place, str, str]] = []
        self.filled: dict[str, list[tuple[str, set[str]]]] = {}
        self.targets: set[str] = set()
        self.lacking: set[str] = set()

    def miss(self, error: NotMapped, place: s.Place) -> None:
        """Note what does not map."""
        self.missing.append(
            (error.place if error.place.line else place, error.construct, error.reason)
        )

    def lack(self, query: s.Query) -> None:
        """Note that a query's stream would lack rows, so that it is not written at all."""
        if isinstance(query.output, s.Insert):
            self.targets.add(query.output.target.id)
            self.lacking.add(query.output.target.id)

    def take(self, query: s.Query, keys: dict[str, str]) -> None:
        """Translate one query or note why not."""
        if isinstance(query.output, s.Insert):
            self.targets.add(query.output.target.id)
        try:
            target = _target(query)
            text, reads = self._query(query, keys)
        except NotMapped as error:
            self.miss(error, query.place)
            self.lack(query)
        else:
            self.filled.setdefault(target, []).append((text, reads))

    def attributes(self, stream: str, place: s.Place) -> patterns.Attributes:
        """Give the attributes of a stream. Raises NotMapped."""
        if stream not in self.runtime.streams:
            raise NotMapped(f"from {stream}", "it is no stream", place)
        given = {a.name: a.type for a in self.runtime.attributes(stream)}
        if ROWTIME in given or s.Type.OBJECT in given.values():
            raise NotMapped(stream, f"it has an object, or an attribute called {ROWTIME}", place)
        return given

    def _query(self, query: s.Query, keys: dict[str, str]) -> tuple[str, set[str]]:
        given = query.input
        if isinstance(given, s.StateInput):
            source = patterns.stream(given, query)
            if query.select.group_by or query.select.having is not None:
                raise NotMapped("group by, having of a pattern", "filter its stream", query.place)
            attributes = self.attributes(source, query.place)
            return patterns.match(query, given, attributes, _of(keys, source)), {source}
        if isinstance(given, s.Join):
            return self._join(query, given, keys), {given.left.source.id, given.right.source.id}
        if isinstance(given, s.Anonymous):
            raise NotMapped("from (…)", "name the stream in between", query.place)
        return self._single(query, given, keys), {given.source.id}

    def _single(self, query: s.Query, given: s.Single, keys: dict[str, str]) -> str:
        source = _plain_source(given)
        attributes = self.attributes(source, query.place)
        resolve = _Columns({given.alias or source: attributes, source: attributes}, "")
        where, window = _handlers(given, Translator(resolve))
        select = query.select
        chosen = select.attributes or _all(attributes)
        parted = _of(keys, source)
        groups = list(
            dict.fromkeys([*parted, *(resolve(g).text.strip("`") for g in select.group_by)])
        )
        aggregates = any(has_aggregator(a.expression) for a in chosen)
        table, time, tail = name(source), name(ROWTIME), ""
        over = Translator(resolve)
        if window is not None and window.name == "timeBatch":
            table, time = _tumble(window, f"{table}"), "`window_time`"
            if aggregates:
                by = ", ".join(
                    ["`window_start`", "`window_end`", "`window_time`", *map(name, groups)]
                )
                tail = f"\nGROUP BY {by}"
                chosen = tuple(_last(a, groups) for a in chosen)
        elif aggregates:
            over = Translator(resolve, _over(window, groups, parted, query))
        elif window is not None and window.name not in {"time", "length"}:
            raise NotMapped(f"#window.{window.name}", "there is no such window", window.place)
        columns = [f"{_value(over, a.expression)} AS {name(a.name)}" for a in chosen]
        columns.append(f"{time} AS {name(ROWTIME)}")
        text = f"SELECT {', '.join(columns)}\nFROM {table}{where}{tail}"
        return _having(text, query, chosen, over)

    def _join(self, query: s.Query, join: s.Join, keys: dict[str, str]) -> str:
        if join.kind != "inner":
            raise NotMapped(
                f"{join.kind} outer join",
                "Flink tells it when time has passed, not at once",
                query.place,
            )
        scope: dict[str, patterns.Attributes] = {}
        bounds: list[int | None] = []
        wheres: list[str] = []
        sides: list[str] = []
        for side in (join.left, join.right):
            source = _plain_source(side)
            alias = side.alias or source
            scope[alias] = self.attributes(source, query.place)
            own = Translator(_Columns({alias: scope[alias]}, ""))
            where, window = _handlers(side, own)
            bounds.append(_span(window))
            wheres.append(where)
            sides.append(alias)
        if len(scope) < 2:
            raise NotMapped("join", "a stream joined with itself needs two names", query.place)
        tables = [
            f"(SELECT * FROM {name(x.source.id)}{w.replace(chr(10), ' ')}) AS {name(a)}"
            if w
            else f"{name(x.source.id)} AS {name(a)}"
            for x, w, a in zip((join.left, join.right), wheres, sides, strict=True)
        ]
        left, right = (f"{name(a)}.{name(ROWTIME)}" for a in sides)
        # A left event finds the right ones of its window, and the other way round.
        before = bounds[1] if join.trigger != "right" else None
        after = bounds[0] if join.trigger != "left" else None
        if before is None and after is None:
            raise NotMapped("join", "without a time window state would grow for ever", query.place)
        low = f"{left} - {interval(before)}" if before is not None else left
        high = f"{left} + {interval(after)}" if after is not None else left
        translator = Translator(_Columns(scope, None))
        on = [f"{right} BETWEEN {low} AND {high}"]
        if join.on is not None:
            on.append(translator.translate(join.on).text)
        both = [
            f"{name(a)}.{name(keys[x.source.id])}"
            for x, a in zip((join.left, join.right), sides, strict=True)
            if x.source.id in keys
        ]
        if len(both) == 2:
            on.append(f"{both[0]} = {both[1]}")
        chosen = query.select.attributes
        if not chosen or query.select.group_by or any(has_aggregator(a.expression) for a in chosen):
            raise NotMapped(
                "the selection of a join", "name attributes; aggregate its stream", query.place
            )
        columns = [f"{translator.value(a.expression).text} AS {name(a.name)}" for a in chosen]
        text = (
            f"SELECT {', '.join([*columns, f'{left} AS {name(ROWTIME)}'])}\n"
            f"FROM {tables[0]}\nJOIN {tables[1]}\n  ON {' AND '.join(on)}"
        )
        return _having(text, query, chosen, translator)

    def statements(self, syntax: s.AppSyntax) -> list[str]:
        """Give tables, then views, each behind what it reads."""
        made: list[str] = []
        done: set[str] = set()
        for definition in syntax.definitions:
            if isinstance(definition, s.StreamDefinition) and (
                definition.id not in self.targets | done
            ):
                try:
                    made.append(
                        _table(definition.id, self.attributes(definition.id, definition.place))
                    )
                    done.add(definition.id)
                except NotMapped as error:
                    self.miss(error, definition.place)
        left = {n: parts for n, parts in self.filled.items() if n not in self.lacking}
        while ready := [n for n, made_of in left.items() if all(r <= done for _, r in made_of)]:
            for target in ready:
                parts = [text for text, _ in left.pop(target)]
                made.append(f"CREATE VIEW {name(target)} AS\n" + "\nUNION ALL\n".join(parts) + ";")
                done.add(target)
        for target, waiting in left.items():
            lacking = ", ".join(sorted(set().union(*(r for _, r in waiting)) - done))
            why = f"it reads {lacking}, which has no table or reads it in turn"
            self.missing.append((s.NOWHERE, f"stream {target}", why))
        return made


def _target(query: s.Query) -> str:
    output = query.output
    if not isinstance(output, s.Insert):
        kind = type(output).__name__.lower()
        raise NotMapped(kind, "rows of a table cannot be changed by a condition", query.place)
    if output.target.key != output.target.id:
        raise NotMapped(output.target.key, "inner and fault streams have no table", query.place)
    if output.events is not s.Events.CURRENT:
        raise NotMapped(
            f"{output.events.value} events", "rows never leave a window there", query.place
        )
    if query.rate is not None:
        raise NotMapped("output every", "there is no rate of output", query.place)
    if query.select.order_by or query.select.limit or query.select.offset:
        raise NotMapped(
            "order by, limit, offset", "they work on chunks, not on tables", query.place
        )
    return output.target.id


def _plain_source(given: s.Single) -> str:
    if given.source.key != given.source.id:
        raise NotMapped(
            given.source.key, "inner and fault streams have no table", given.source.place
        )
    return given.source.id


def _of(keys: dict[str, str], stream: str) -> Sequence[str]:
    return [keys[stream]] if stream in keys else []


def _all(attributes: patterns.Attributes) -> tuple[s.OutputAttribute, ...]:
    return tuple(s.OutputAttribute(s.Variable(n), n) for n in attributes)


def _handlers(given: s.Single, translator: Translator) -> tuple[str, s.Call | None]:
    """Give the WHERE clause of the filters before the window, and the window."""
    conditions: list[str] = []
    window: s.Call | None = None
    for handler in given.handlers:
        match handler:
            case s.Filter(condition=condition) if window is None:
                conditions.append(translator.translate(condition).text)
            case s.Window(call=call):
                window = call
            case s.Filter():
                raise NotMapped("a filter behind a window", "put it before", given.source.place)
            case s.StreamFunction(call=call):
                raise NotMapped(
                    f"#{call.name}", "there is no such function of a stream", call.place
                )
    return (f"\nWHERE {' AND '.join(conditions)}" if conditions else ""), window


def _number(window: s.Call, at: int = 0) -> int:
    argument = window.arguments[at]
    if not isinstance(argument, s.Constant):
        raise NotMapped(f"#window.{window.name}", "its parameters are not constant", window.place)
    return int(argument.value)


def _tumble(window: s.Call, table: str) -> str:
    if len(window.arguments) != 2:
        raise NotMapped(
            "#window.timeBatch",
            "TUMBLE counts from a fixed time, not from the first event: give it a start time",
            window.place,
        )
    size, start = _number(window), _number(window, 1)
    offset = f", {interval(start % size)}" if start % size else ""
    return f"TABLE(TUMBLE(TABLE {table}, DESCRIPTOR({name(ROWTIME)}), {interval(size)}{offset}))"


def _last(attribute: s.OutputAttribute, groups: list[str]) -> s.OutputAttribute:
    """Of a batch, an attribute that is no key is that of the last event."""
    expression = attribute.expression
    if has_aggregator(expression) or isinstance(expression, s.Constant):
        return attribute
    if isinstance(expression, s.Variable) and expression.attribute in groups:
        return attribute
    return s.OutputAttribute(s.Call(_LAST_VALUE, (expression,)), attribute.name, attribute.place)


_LAST_VALUE = "LAST_VALUE"


def _value(translator: Translator, expression: s.Expression) -> str:
    if isinstance(expression, s.Call) and expression.name == _LAST_VALUE:
        return f"LAST_VALUE({translator.value(expression.arguments[0]).text})"
    return translator.value(expression).text


def _over(window: s.Call | None, groups: list[str], parted: Sequence[str], query: s.Query) -> str:
    by = f"PARTITION BY {', '.join(map(name, groups))} " if groups else ""
    if window is None:
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING"
    elif window.name == "time":
        # An event has left when its time is exactly that long ago; RANGE would still count it.
        frame = f"RANGE BETWEEN {interval(_number(window) - 1)} PRECEDING"
    elif window.name == "length" and groups == list(parted):
        frame = f"ROWS BETWEEN {_number(window) - 1} PRECEDING"
    elif window.name == "length":
        raise NotMapped(
            "#window.length with group by", "ROWS counts within a group, not over all", query.place
        )
    else:
        raise NotMapped(f"#window.{window.name}", "there is no such window", window.place)
    return f" OVER ({by}ORDER BY {name(ROWTIME)} {frame} AND CURRENT ROW)"


def _span(window: s.Call | None) -> int | None:
    """Give how far back, in ms, the window of a join's side reaches; None without a window."""
    if window is None:
        return None
    if window.name != "time":
        raise NotMapped(f"#window.{window.name} of a join", "only times bound joins", window.place)
    return _number(window) - 1


def _having(
    text: str, query: s.Query, chosen: Sequence[s.OutputAttribute], translator: Translator
) -> str:
    having = query.select.having
    if having is None:
        return text
    if has_aggregator(having):
        raise NotMapped("having", "select the aggregate and name it there", query.place)
    selected = {a.name: translator.translate(_inner(a.expression)).type for a in chosen}
    condition = Translator(_Columns({"": selected}, "")).translate(having).text
    indented = text.replace("\n", "\n  ")
    return f"SELECT * FROM (\n  {indented}\n)\nWHERE {condition}"


def _inner(expression: s.Expression) -> s.Expression:
    if isinstance(expression, s.Call) and expression.name == _LAST_VALUE:
        return expression.arguments[0]
    return expression


def _table(stream: str, attributes: patterns.Attributes) -> str:
    columns = "".join(f"  {name(n)} {TYPES[kind]},\n" for n, kind in attributes.items())
    path = stream.replace("'", "''")
    return (
        f"CREATE TABLE {name(stream)} (\n{columns}  {name(ROWTIME)} TIMESTAMP_LTZ(3),\n"
        f"  WATERMARK FOR {name(ROWTIME)} AS {name(ROWTIME)}\n"
        f") WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');"
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Finds columns of the streams of a query; `prefix` None writes the stream's name before."""

    streams: dict[str, patterns.Attributes]
    prefix: str | None

    def __call__(self, variable: s.Variable) -> Sql:
        for stream, attributes in self.streams.items():
            if variable.stream in {None, stream} and variable.attribute in attributes:
                before = f"{name(stream)}." if self.prefix is None else ""
                return Sql(f"{before}{name(variable.attribute)}", attributes[variable.attribute])
        raise NotMapped(variable.attribute, "it is no column here", variable.place)
