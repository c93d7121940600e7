"""An application's definitions: streams, tables, windows, triggers, functions, aggregations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .aggregation import Aggregation
from .errors import AppInvalid, AttributeRepeated, DefinitionRepeated, FunctionUnknown
from .expressions import Compiled, Compiler
from .extensions import FunctionMaker
from .language import syntax as s
from .named_window import NamedWindow
from .table import Table
from .trigger import TRIGGERED, Trigger
from .values import to_type

if TYPE_CHECKING:
    from .runtime import Runtime


def define_all(runtime: Runtime, definitions: tuple[s.Definition, ...]) -> None:
    """Define what an application does, each kind after what it may need. Raises AppInvalid."""
    for definition in definitions:
        if isinstance(definition, s.FunctionDefinition):
            _define_function(runtime, definition)
    for definition in definitions:
        if not isinstance(definition, s.FunctionDefinition | s.AggregationDefinition):
            _define(runtime, definition)
    for definition in definitions:
        if isinstance(definition, s.AggregationDefinition):
            _define(runtime, definition)


def _define(runtime: Runtime, definition: s.Definition) -> None:
    _check(runtime, definition)
    owner = runtime.flow.owner
    runtime.flow.owner = definition.id
    match definition:
        case s.StreamDefinition():
            if definition.id not in runtime.streams:
                runtime.add_stream(definition)
        case s.TableDefinition():
            if s.annotation(definition.annotations, "store") is not None:
                raise FunctionUnknown(
                    "tables are kept in memory: there is no @store", definition.place
                )
            if definition.id not in runtime.tables:
                runtime.tables[definition.id] = Table(definition)
        case s.WindowDefinition():
            window = NamedWindow(runtime.flow, definition, runtime.extensions)
            runtime.windows[definition.id] = window
            start = getattr(window.window, "start", None)
            if start is not None:
                runtime.starts.append(start)
        case s.TriggerDefinition():
            known = runtime.streams.get(definition.id)
            stream = known or runtime.add_stream(s.StreamDefinition(definition.id, TRIGGERED))
            runtime.triggers[definition.id] = Trigger(runtime.flow, definition, stream)
        case s.AggregationDefinition():
            runtime.aggregations[definition.id] = Aggregation(runtime, definition)
    runtime.flow.owner = owner


def _check(runtime: Runtime, definition: s.Definition) -> None:
    attributes: tuple[s.Attribute, ...] = getattr(definition, "attributes", ())
    names: set[str] = set()
    for attribute in attributes:
        if attribute.name in names:
            raise AttributeRepeated(f"{definition.id} has {attribute.name} twice", definition.place)
        names.add(attribute.name)
    for kind, known in (
        (s.StreamDefinition, runtime.streams),
        (s.TableDefinition, runtime.tables),
        (s.WindowDefinition, runtime.windows),
        (s.TriggerDefinition, runtime.triggers),
        (s.AggregationDefinition, runtime.aggregations),
    ):
        before: Any = known.get(definition.id)
        if before is None:
            continue
        if isinstance(definition, s.StreamDefinition) and kind is s.TriggerDefinition:
            same = attributes == TRIGGERED
        elif isinstance(definition, s.TriggerDefinition):
            same = kind is s.StreamDefinition and before.attributes == TRIGGERED
        else:
            same = isinstance(definition, kind) and before.attributes == attributes
        if not same or isinstance(definition, s.AggregationDefinition | s.WindowDefinition):
            raise DefinitionRepeated(f"{definition.id} is defined twice", definition.place)


def _define_function(runtime: Runtime, definition: s.FunctionDefinition) -> None:
    if definition.id in runtime.extensions.functions:
        raise DefinitionRepeated(f"{definition.id} is a function already", definition.place)
    engine = runtime.extensions.scripts.get(definition.language.lower())
    if engine is None:
        raise FunctionUnknown(f"no engine runs {definition.language}", definition.place)
    run = engine(definition.id, definition.body, definition.returns)
    runtime.extensions.functions[definition.id] = _script(run, definition.returns)


def check_async(definition: s.StreamDefinition) -> None:
    """Check `@async`, which needs no more: events are processed as they are sent."""
    annotation = s.annotation(definition.annotations, "async")
    for name, value in annotation.elements if annotation is not None else ():
        if (name or "").lower() not in {"buffer.size", "workers", "batch.size.max"}:
            continue
        if not value.strip().isdigit() or int(value) < 1:
            raise AppInvalid(
                f"@async: {name} is a positive number, not {value!r}", definition.place
            )


def _script(run: Callable[[list[Any]], Any], returns: s.Type) -> FunctionMaker:
    def make(_compiler: Compiler, _call: s.Call, arguments: list[Compiled]) -> Compiled:
        getters = [a.get for a in arguments]
        return Compiled(lambda e: to_type(run([get(e) for get in getters]), returns), returns)

    return make
