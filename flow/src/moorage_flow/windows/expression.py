"""Windows that hold events while an expression over them is true."""

from __future__ import annotations

from typing import Any

from ..errors import AppInvalid, EvaluationFailed
from ..events import CURRENT, EXPIRED, RESET, Chunk, Event, StateEvent
from ..expressions import Compiled, Compiler
from ..flow import Holder
from ..language.parser import parse_expression
from ..language.syntax import Call, Type
from ..scope import Frame, Getter, Scope
from .setting import Setting, WindowOperator, constant, expect_count

FEW = 64
"""So many expressions are not worth forgetting any."""


class Retained:
    """The events held, those let out last, and the expression they were judged by."""

    def __init__(self) -> None:
        self.current: Chunk = []
        self.expired: Chunk = []
        self.text: str | None = None


class _Judge(WindowOperator):
    """Evaluates the expression for an event, the first and the last of the window."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        argument = arguments[0]
        if argument.type is not Type.STRING:
            raise AppInvalid(f"the expression of window {call.name} is a string", call.place)
        super().__init__(setting, Retained)
        self._varying: Getter | None = None
        self._compiled: dict[str, Getter] = {}
        self._holders: dict[str, list[Holder[Any]]] = {}
        self._full = FEW
        if argument.constant:
            self._fixed = str(argument.value)
            self._compile(self._fixed)
        else:
            self._varying = argument.get

    def _compile(self, text: str) -> Getter:
        get = self._compiled.get(text)
        if get is not None:
            return get
        if len(self._compiled) >= self._full:
            self._forget()
        stream = self.setting.compiler.scope.frames[0]
        frames = [stream, Frame("first", stream.attributes), Frame("last", stream.attributes)]
        outer = self.setting.compiler
        compiler = Compiler(
            Scope(frames, state=True, current=0),
            outer.flow,
            outer.extensions,
            outer.tables,
            tracks=True,
            may_aggregate=True,
        )
        known = len(self.flow.holders)
        owner, self.flow.owner = self.flow.owner, f"{self.flow.owner or 'window'}?{text}"
        try:
            compiled = compiler.compile(parse_expression(text))
        finally:
            self.flow.owner = owner
        if compiled.type is not Type.BOOL:
            raise AppInvalid(f"the expression {text!r} gives no bool")
        self._compiled[text] = compiled.get
        self._holders[text] = list(self.flow.holders.values())[known:]
        return compiled.get

    def _forget(self) -> None:
        """Forget the expressions that no window is judged by."""
        used = {state.text for state in self.states.states.values()}
        for text in self._compiled.keys() - used:
            del self._compiled[text]
            self.flow.forget(self._holders.pop(text))
        self._full = max(FEW, 2 * len(self._compiled))

    def _changed(self, state: Retained, event: Event) -> bool:
        """Take over the event's expression; tell whether it is another one."""
        if self._varying is None:
            state.text = self._fixed
            return False
        text = self._varying(event)
        if text is None:
            raise EvaluationFailed("the expression of a window is null")
        if text == state.text:
            return False
        state.text = text
        self._compile(text)
        for holder in self._holders[text]:
            holder.drop({self.flow.partition})
        return True

    def _judge(self, state: Retained, event: Event, first: Event, last: Event, kind: int) -> bool:
        assert state.text is not None
        paired = StateEvent(3, event.ts)
        paired.kind = (CURRENT, EXPIRED, None, RESET)[kind] or CURRENT
        paired.streams = [[event], [first], [last]]
        return self._compile(state.text)(paired) is True


class ExpressionWindow(_Judge):
    """`expression('…')`: when an event makes it false, the oldest leave until it is true again."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1)
        super().__init__(setting, call, arguments)

    def process(self, chunk: Chunk) -> None:
        state: Retained = self.states.get()
        out: Chunk = []
        for event in chunk:
            if self._changed(state, event):
                held, state.current = state.current, []
                for old in held:
                    self._add(state, old, out)
            self._add(state, event.copy(EXPIRED), out)
            out.append(event)
        self.next.process(out)

    def _add(self, state: Retained, event: Event, out: Chunk) -> None:
        held = state.current
        held.append(event)
        if self._judge(state, event, held[0], event, CURRENT):
            return
        while held:
            gone = held.pop(0)
            out.append(gone)
            holds = self._judge(state, gone, held[0] if held else gone, event, EXPIRED)
            gone.ts = self.clock.now
            if holds:
                break

    def find(self) -> list[Event]:
        return list(self.states.get().current)


class ExpressionBatch(_Judge):
    """`expressionBatch('…', include.triggering.event, stream.current.event)`."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1, 3)
        super().__init__(setting, call, arguments)
        self._includes: Getter = lambda _event: False
        if len(arguments) > 1:
            if arguments[1].type is not Type.BOOL:
                raise AppInvalid("parameter 2 of window expressionBatch is a bool", call.place)
            self._includes = arguments[1].get
        self._streams = len(arguments) > 2 and constant(call, arguments, 2, Type.BOOL)

    def process(self, chunk: Chunk) -> None:
        state: Retained = self.states.get()
        chunks: list[Chunk] = []
        for event in chunk:
            if self._changed(state, event):
                self._judge_again(state, chunks)
            if self._streams:
                self._stream(state, event, chunks, output=True)
            else:
                self._gather(state, event, chunks)
        for out in chunks:
            self.next.process(out)

    def _judge_again(self, state: Retained, chunks: list[Chunk]) -> None:
        if self._streams:
            held, state.expired = state.expired, []
            for event in held:
                self._stream(state, event, chunks, output=False)
        else:
            held, state.current = state.current, []
            for event in held:
                self._gather(state, event, chunks)

    def _restart(self, state: Retained, event: Event, first: Event) -> None:
        self._judge(state, event, first, event, RESET)
        self._judge(state, event, first, event, CURRENT)

    def _gather(self, state: Retained, event: Event, chunks: list[Chunk]) -> None:
        now = self.clock.now
        first = state.current[0] if state.current else event
        if self._judge(state, event, first, event, CURRENT):
            state.current.append(event)
            return
        self._restart(state, event, first)
        out: Chunk = []
        for old in state.expired:
            old.ts = now
        out += state.expired
        state.expired = []
        if state.current:
            for held in state.current:
                held.ts = now
            state.expired = [held.copy(EXPIRED) for held in state.current]
            out += state.current
            state.current = []
            if self._includes(event) is True:
                out.append(event)
                gone = event.copy(EXPIRED)
                gone.ts = now
                state.expired.append(gone)
            else:
                state.current.append(event)
        else:
            gone = event.copy(EXPIRED)
            gone.ts = event.ts = now
            out += [gone, event]
        chunks.append(out)

    def _stream(self, state: Retained, event: Event, chunks: list[Chunk], *, output: bool) -> None:
        now = self.clock.now
        first = state.expired[0] if state.expired else event
        out: Chunk = []
        if output and state.current:
            out += state.current
            state.current = []
        if self._judge(state, event, first, event, CURRENT):
            state.expired.append(event.copy(EXPIRED))
            if output:
                chunks.append([*out, event])
            return
        self._restart(state, event, first)
        gone = event.copy(EXPIRED)
        if state.expired:
            for old in state.expired:
                old.ts = now
            leaving, state.expired = state.expired, []
            if self._includes(event) is True:
                gone.ts = now
                out.append(event)
                (out if output else state.current).extend([*leaving, gone])
            else:
                (out if output else state.current).extend(leaving)
                out.append(event)
                state.expired = [gone]
        elif output:
            gone.ts = event.ts = now
            out += [gone, event]
        else:
            state.current.append(event)
        if output:
            chunks.append(out)

    def find(self) -> list[Event]:
        return list(self.states.get().current)
