"""Windows of their own: fed by queries, read, joined and asked by others."""

from __future__ import annotations

from .events import CURRENT, EXPIRED, Chunk, Event
from .expressions import Compiler
from .extensions import Extensions
from .flow import Flow
from .language import syntax as s
from .operators import Operator
from .scope import Frame, Scope
from .streams import Stream
from .windows import Setting


class NamedWindow(Operator):
    """A `define window`; what leaves and enters it goes to the listeners of `stream`."""

    def __init__(self, flow: Flow, definition: s.WindowDefinition, extensions: Extensions) -> None:
        self.id = definition.id
        self.definition = definition
        self.attributes = definition.attributes
        self.flow = flow
        self.stream = Stream(flow, s.StreamDefinition(definition.id, definition.attributes))
        output = definition.output or s.Events.ALL
        self._kinds = {
            s.Events.CURRENT: {CURRENT},
            s.Events.EXPIRED: {EXPIRED},
            s.Events.ALL: {CURRENT, EXPIRED},
        }[output]
        scope = Scope([Frame(definition.id, list(definition.attributes))])
        compiler = Compiler(scope, flow, extensions)
        setting = Setting(
            flow, compiler, expects_expired=output is not s.Events.CURRENT, searched=True
        )
        self.window = make_window(setting, definition.window)
        self.window.next = self

    def add(self, chunk: Chunk) -> None:
        """Take the rows a query has selected."""
        outer, self.flow.partition = self.flow.partition, ""
        try:
            self.window.process([Event(event.ts, event.out) for event in chunk])
        finally:
            self.flow.partition = outer

    def process(self, chunk: Chunk) -> None:
        out = [event for event in chunk if event.kind in self._kinds]
        if out:
            self.stream.send(out)

    def find(self) -> list[Event]:
        return self.window.find()


def make_window(setting: Setting, call: s.Call) -> Operator:
    """Make a window of its name. Raises FunctionUnknown, AppInvalid."""
    from .errors import FunctionUnknown, nearest

    key = f"{call.namespace}:{call.name}" if call.namespace else call.name
    windows = setting.compiler.extensions.windows
    maker = windows.get(key)
    if maker is None:
        raise FunctionUnknown(f"no window is called {key}{nearest(key, windows)}", call.place)
    arguments = setting.compiler.arguments(call)
    return maker(setting, call, arguments)
