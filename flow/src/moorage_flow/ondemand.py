"""On-demand queries: asked once of a table, window or aggregation, or changing a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aggregation import Aggregation
from .errors import AppInvalid, EvaluationFailed, QueryInvalid, nearest
from .events import Event
from .expressions import Compiler
from .language import syntax as s
from .matching import compile_match
from .named_window import NamedWindow
from .output import Limiter
from .scope import Frame, Scope
from .selector import Selector, compile_select
from .sinks import change_table, expect_same, into_table
from .table import Table

if TYPE_CHECKING:
    from .runtime import Runtime


def ask(runtime: Runtime, query: s.OnDemandQuery) -> list[Event]:
    """Answer a query; give its rows, none where it writes. Raises QueryInvalid."""
    flow = runtime.flow
    outer, flow.owner = flow.owner, "ask"
    known = set(flow.holders)
    try:
        return _find(runtime, query) if query.store is not None else _write(runtime, query)
    except QueryInvalid:
        raise
    except AppInvalid as error:
        raise QueryInvalid(error.reason, error.place) from error
    except EvaluationFailed as error:
        raise QueryInvalid(str(error)) from error
    finally:
        flow.owner = outer
        for name in set(flow.holders) - known:
            del flow.holders[name]


def _find(runtime: Runtime, query: s.OnDemandQuery) -> list[Event]:
    store = query.store
    assert store is not None
    source = runtime.readable(store.id)
    if not isinstance(source, Table | NamedWindow | Aggregation):
        raise QueryInvalid(
            f"{store.id} is no table, window or aggregation{nearest(store.id, runtime.names())}"
        )
    frame = Frame(store.id, list(source.attributes), store.alias)
    scope = Scope([frame], current=0)
    compiler = Compiler(scope, runtime.flow, runtime.extensions, runtime.tables)
    if isinstance(source, Aggregation):
        if store.within is None:
            raise QueryInvalid(f"{store.id} needs 'within' and 'per'")
        # Nothing of a row is known before it is found.
        rows = source.finder(compiler.within(Scope([])), store.within)(None)
        rows = _filtered(compiler, store, rows)
    elif store.within is not None:
        raise QueryInvalid(f"only an aggregation has 'within' and 'per'; {store.id} is none")
    elif isinstance(source, Table):
        if store.on is None:
            rows = source.all()
        else:
            empty = Compiler(
                Scope([], state=True), runtime.flow, runtime.extensions, runtime.tables
            )
            match = compile_match(empty, store.on, source, row_first=True, alias=store.alias)
            rows = source.find(match, Event(runtime.flow.clock.now, []))
    else:
        rows = _filtered(compiler, store, source.find())
    selection = compile_select(compiler, query.select, asked=True)
    selector = Selector(runtime.flow, selection, s.Events.CURRENT)
    return _selected(runtime, selector, [Event(row.ts, row.data) for row in rows])


def _filtered(compiler: Compiler, store: s.Store, rows: list[Event]) -> list[Event]:
    if store.on is None:
        return rows
    condition = compiler.condition(store.on)
    return [row for row in rows if condition(row) is True]


def _selected(runtime: Runtime, selector: Selector, rows: list[Event]) -> list[Event]:
    found: list[Event] = []
    limiter = Limiter(runtime.flow)
    limiter.callbacks.append(found.extend)
    selector.limiter = limiter
    if rows:
        selector.process(rows)
    return found


def _write(runtime: Runtime, query: s.OnDemandQuery) -> list[Event]:
    output = query.output
    assert output is not None and not isinstance(output, s.Return)
    table = runtime.tables.get(output.target.key)
    if table is None:
        raise QueryInvalid(
            f"{output.target.key} is no table{nearest(output.target.key, runtime.tables)}"
        )
    compiler = Compiler(Scope([]), runtime.flow, runtime.extensions, runtime.tables)
    selection = compile_select(compiler, query.select)
    selector = Selector(runtime.flow, selection, s.Events.CURRENT)
    now = runtime.flow.clock.now
    rows = _selected(runtime, selector, [Event(now, [])])
    if isinstance(output, s.Insert):
        expect_same(table.id, table.attributes, selection.attributes, output.target.place)
        into_table(table)(rows)
    else:
        change_table(compiler, output, table, selection.attributes)(rows)
    return []
