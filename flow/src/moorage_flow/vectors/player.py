"""Plays a vector step by step, on a clock that only `sleep` and `wait` move."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from ..app import App
from ..broker import Broker
from ..errors import FlowError, QueryInvalid, StateInvalid
from ..events import CURRENT, EXPIRED, Chunk
from ..language import parser
from ..language.syntax import Type
from ..runtime import Path as Path_
from ..runtime import Runtime
from ..scheduler import Clock
from ..transports import connect
from ..values import NUMERIC, to_type, typed
from .checks import Batch, Checks
from .rows import START, Mismatch, as_recorded, bag, compare


class Unplanned(Exception):
    """A vector with a query the columnar path does not run."""


class Player(Checks):
    """Plays the steps of one vector."""

    def __init__(self, vector: dict[str, Any], path: Path_ = "reference") -> None:
        super().__init__(vector)
        self.path = path
        self.planned = 0
        golden = vector["golden"]
        self.clock = Clock(golden.get("t0") or START)
        self.broker = Broker()
        self.runtimes: dict[int, Runtime] = {}
        self.ends: dict[int, Callable[[], None]] = {}
        self.nows: dict[int, int] = {}
        self.snapshots: dict[int, bytes] = {}
        self.store: dict[str, bytes] | None = None
        self.fails = {error["step"] for error in golden.get("errors", [])}

    def play(self) -> None:
        """Run every step, then compare."""
        with contextlib.suppress(_Failed):  # The recorded run ended with the failure, too.
            self._steps(self.vector["steps"])
        if self.path == "columnar" and not self.planned:
            raise Unplanned("nothing runs on columns")
        self._compare()

    def _steps(self, steps: list[dict[str, Any]]) -> None:
        for at, step in enumerate(steps):
            must_fail = at in self.fails and steps is self.vector["steps"]
            try:
                getattr(self, f"do_{step['op']}")(step)
            except FlowError as error:
                if must_fail:
                    raise _Failed from error
                if step.get("expect_error"):
                    continue
                raise Mismatch(f"step {at} ({step['op']}) failed: {error}") from error
            if must_fail:
                raise Mismatch(f"step {at} ({step['op']}) should have failed")

    # --- Steps ---

    def do_create(self, step: dict[str, Any]) -> None:
        app = App.parse(self.vector["apps"][step["app"]])
        runtime = Runtime(app, clock=self._new_clock(), path=self.path)
        self._expect_planned(runtime)
        connect(runtime, self.broker)
        self.runtimes[step["rt"]] = runtime

    def _expect_planned(self, runtime: Runtime) -> None:
        if self.path != "columnar":
            return
        for name, path, reason in runtime.explain():
            if path != "columnar":
                raise Unplanned(f"{name}: {reason}")
        self.planned += len(runtime.queries)

    def _new_clock(self) -> Clock:
        return Clock(self.clock.wall)

    def do_create_sandbox(self, step: dict[str, Any]) -> None:
        app = App.parse(self.vector["apps"][step["app"]]).sandbox()
        runtime = Runtime(app, clock=self._new_clock(), path=self.path)
        self._expect_planned(runtime)
        self.runtimes[step["rt"]] = runtime

    def do_validate(self, step: dict[str, Any]) -> None:
        Runtime(self.vector["apps"][step["app"]], clock=self._new_clock(), path=self.path)

    def do_start(self, step: dict[str, Any]) -> None:
        self._runtime(step).start()

    def _runtime(self, step: dict[str, Any]) -> Runtime:
        try:
            return self.runtimes[step["rt"]]
        except KeyError:
            raise StateInvalid(f"there is no runtime {step['rt']}") from None

    def do_callback(self, step: dict[str, Any]) -> None:
        callback = next(c for c in self.vector["callbacks"] if c["id"] == step["cb"])
        number = callback["id"]
        batches = self.batches[number]
        if callback["kind"] == "broker":
            self.ends[number] = self.broker.subscribe(
                callback["name"], lambda rows: batches.append(Batch([list(r) for r in rows], []))
            )
            return
        runtime = self.runtimes[callback["rt"]]
        name = callback["name"]
        if callback["kind"] == "query":
            if name not in runtime.queries:
                raise QueryInvalid(f"there is no query {name}")

            def of_query(chunk: Chunk) -> None:
                came = [list(e.out) for e in chunk if e.kind == CURRENT]
                left = [list(e.out) for e in chunk if e.kind == EXPIRED]
                batches.append(Batch(came, left))

            listening = runtime.queries[name].limiter.callbacks
            listening.append(of_query)
            self.ends[number] = lambda: listening.remove(of_query)
        else:

            def of_stream(_ts: int, came: list[Any], _left: list[Any]) -> None:
                batches.append(Batch([list(row) for row in came], []))

            self.ends[number] = runtime.subscribe(name, of_stream)

    def do_remove_callback(self, step: dict[str, Any]) -> None:
        self.ends[step["cb"]]()

    def do_send(self, step: dict[str, Any]) -> None:
        runtime = self._runtime(step)
        row = self._cells(runtime, step["stream"], step)
        runtime.send(step["stream"], [row], ts=self._time(step.get("ts")), checked=False)

    def do_send_batch(self, step: dict[str, Any]) -> None:
        events = step["events"]
        times = [self._time(e.get("ts")) for e in events]
        runtime = self._runtime(step)
        rows = [self._cells(runtime, step["stream"], event) for event in events]
        filled = [runtime.flow.clock.now if t is None else t for t in times]
        runtime.send(step["stream"], rows, ts=filled, checked=False)

    def _cells(self, runtime: Runtime, stream: str, event: dict[str, Any]) -> list[Any]:
        """Give a row's values; a number that is not of its attribute's type keeps its own."""
        declared = [a.type for a in runtime.attributes(stream)]
        row: list[Any] = []
        for at, (value, letter) in enumerate(zip(event["row"], event["types"], strict=True)):
            kind = _LETTERS.get(letter)
            if isinstance(value, dict):
                value = self._time(value)
            if value is not None and kind in NUMERIC:
                value = to_type(value, kind)
                if at >= len(declared) or declared[at] is not kind:
                    value = typed(value, kind)
            row.append(value)
        return row

    def _time(self, ts: Any) -> int | None:
        if isinstance(ts, dict):
            return self.nows[ts["$now"]] + int(ts.get("plus", 0))
        return None if ts is None else int(ts)

    def do_publish(self, step: dict[str, Any]) -> None:
        payload = step["payload"]
        rows = (
            payload
            if isinstance(payload, list) and payload and isinstance(payload[0], list)
            else [payload]
        )
        self.broker.publish(step["topic"], [list(r) for r in rows])

    def do_sleep(self, step: dict[str, Any]) -> None:
        self._advance(self.clock.wall + step["ms"])

    def _advance(self, to: int) -> None:
        while True:
            dues = [d for r in self.runtimes.values() if (d := r.flow.clock.next_due()) is not None]
            due = min(dues, default=None)
            if due is None or due > to:
                break
            self._move(due)
        self._move(to)

    def _move(self, to: int) -> None:
        self.clock.advance(to)
        for runtime in self.runtimes.values():
            runtime.flow.clock.advance(to)

    def do_wait(self, step: dict[str, Any]) -> None:
        start = self.clock.wall
        end = start + step["timeout_ms"]
        if "min_ms" in step:
            self._advance(min(end, start + step["min_ms"]))
        while not self.value(step["expr"]) and self.clock.wall < end:
            dues = [d for r in self.runtimes.values() if (d := r.flow.clock.next_due()) is not None]
            self._advance(min([*dues, end]))

    def do_now(self, step: dict[str, Any]) -> None:
        self.nows[step["id"]] = self.clock.wall

    def do_query(self, step: dict[str, Any]) -> None:
        self.queries[step["id"]] = [list(row) for row in self._runtime(step).query(step["text"])]

    def do_parse(self, step: dict[str, Any]) -> None:
        kind, text = step["kind"], step["text"]
        if kind == "Query":
            parser.parse_query(text)
        elif kind == "Partition":
            parser.parse_partition(text)
        elif kind in {"OnDemandQuery", "StoreQuery"}:
            parser.parse_on_demand(text)
        elif kind.endswith("Definition"):
            parser.parse_definition(text, kind.removesuffix("Definition").lower())
        else:
            App.parse(text)

    def do_persistence_store(self, _step: dict[str, Any]) -> None:
        self.store = {}

    def do_persist(self, step: dict[str, Any]) -> None:
        if self.store is None:
            raise StateInvalid("there is no store of snapshots")
        runtime = self._runtime(step)
        self.store[self._stored(runtime)] = runtime.snapshot()

    @staticmethod
    def _stored(runtime: Runtime) -> str:
        return runtime.app.name or runtime.app.text

    def do_restore_last(self, step: dict[str, Any]) -> None:
        if self.store is None:
            raise StateInvalid("there is no store of snapshots")
        runtime = self._runtime(step)
        saved = self.store.get(self._stored(runtime))
        if saved is not None:
            runtime.restore(saved)

    def do_snapshot(self, step: dict[str, Any]) -> None:
        self.snapshots[step["id"]] = self._runtime(step).snapshot()

    def do_restore(self, step: dict[str, Any]) -> None:
        self._runtime(step).restore(self.snapshots[step["id"]])

    def do_shutdown(self, step: dict[str, Any]) -> None:
        runtime = self._runtime(step)
        runtime.stop()
        self.broker.leave(runtime)

    def do_shutdown_manager(self, _step: dict[str, Any]) -> None:
        for number in list(self.runtimes):
            self.do_shutdown({"rt": number})

    def do_enable_playback(self, step: dict[str, Any]) -> None:
        on, idle, increment = [*step["args"], None, None, None][:3]
        self._runtime(step).playback(on, idle_ms=idle, increment_ms=increment)

    def do_thread(self, step: dict[str, Any]) -> None:
        self._steps(step["steps"])

    def do_set_var(self, step: dict[str, Any]) -> None:
        self.vars[step["var"]] = step["value"]

    def do_check(self, step: dict[str, Any]) -> None:
        if self.vector.get("verified") == "pass_partly":
            return  # The recorded rows outrank what upstream asserts.
        if not self.value(step["expr"]):
            raise Mismatch(f"check {json.dumps(step['expr'])}: {self._shown(step['expr'])}")

    def _shown(self, expr: Any) -> str:
        if isinstance(expr, list) and len(expr) == 3:
            return f"{self._safe(expr[1])} against {self._safe(expr[2])}"
        return "does not hold"

    def _safe(self, expr: Any) -> str:
        try:
            return repr(self.value(expr))
        except (IndexError, KeyError, TypeError) as error:
            return repr(error)

    # --- The recorded rows ---

    def _has_hashed_store(self) -> bool:
        """Tell whether rows come out of a store whose order is that of a hash."""
        apps = " ".join(self.vector["apps"]).lower()
        return any(word in apps for word in ("@index", "@primarykey", "define aggregation"))

    def _compare(self) -> None:
        golden = self.vector["golden"]
        if not golden.get("stable", False):
            return
        for number, batches in self.batches.items():
            calls = [t for t in golden["trace"] if t["cb"] == number]
            for what, own in (("in", "came"), ("remove", "left")):
                wanted = [t.get(what, []) for t in calls]
                found = [row for b in batches for row in getattr(b, own)]
                if self._has_hashed_store():
                    found = as_recorded(wanted, found)
                compare(f"callback {number} {what}", [r for rows in wanted for r in rows], found)
        for key, rows in golden.get("queries", {}).items():
            found = self.queries.get(int(key), [])
            if bag(rows) != bag(found):
                raise Mismatch(f"query {key}: wanted {rows}, found {found}")


class _Failed(Exception):
    """A step failed that must fail."""


_LETTERS = {"i": Type.INT, "l": Type.LONG, "f": Type.FLOAT, "d": Type.DOUBLE}
