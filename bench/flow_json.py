"""The event engine from JSON to JSON: throughput, latency under an open load, memory of many keys.

`python -m bench.flow_json`. Lines are read into columns and written from them, beside the way event
by event (msgspec) in turns in the same run; figures are medians of `ROUNDS`, by processor time.
Latency is that of each event, from the moment it is due to the end of the call that told its rows:
the load does not wait for the engine (open loop), and what is due goes together. It goes by the
processor's clock, which the loop keeps busy: the clock on the wall, without what others take of the
core.
"""

from __future__ import annotations

import gc
import io
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import psutil

from bench.installation import directory
from bench.machine import describe
from moorage_flow import Runtime
from moorage_flow.codecs import Batch, Shape, arrow, json_columns, json_lines, writer
from moorage_flow.codecs.events import by_rows

ROUNDS = 3
EVENTS, KEYS = 200_000, 100
BATCHES = (100, 1_000, 10_000)
STREAM = "@app:playback define stream Taps (k string, v double, kind int);\n"
QUERIES = {
    "filter": "from Taps[v > 50.0] select k, v insert into Hot;",
    "tumbling by key": "from Taps#window.timeBatch(1 sec) select k, sum(v) as s, count() as n "
    "group by k insert into Sums;",
    "pattern keyed": "partition with (k of Taps) begin from every a=Taps[kind == 0] -> "
    "b=Taps[kind == 1 and v > a.v] within 1 sec select a.k as k, a.v as x, b.v as y "
    "insert into Pairs; end;",
}
TOGETHER = "the three together"
QUERIES[TOGETHER] = "\n".join(QUERIES.values())
GOAL = 1_000_000
LOADS = {100_000: 1.0, 1_000_000: 15.0}
"""Events a second, and the p99 in ms that is aimed at."""
STATES = {
    "group by": "from Taps select k, sum(v) as s, count() as n group by k insert into Out;",
    "length window per key": "partition with (k of Taps) begin from Taps#window.length(1) "
    "select k, avg(v) as a insert into Out; end;",
    "pending match, keyed": "partition with (k of Taps) begin from every a=Taps[kind == 0] -> "
    "b=Taps[kind == 2] within 1 day select a.k as k, b.v as y insert into Out; end;",
    "pending match, unkeyed": "from every a=Taps[kind == 0] -> b=Taps[kind == 2 and k == a.k] "
    "within 1 day select a.k as k, b.v as y insert into Out;",
}
GROWTH = (10_000, 100_000, 1_000_000)


def lines(count: int, each_ms: int = 20) -> list[bytes]:
    """Make lines, always the same: `each_ms` events a millisecond, random keys and values."""
    rng = random.Random(7)
    return [
        b'{"ts": %d, "k": "key-%d", "v": %.2f, "kind": %d}\n'
        % (1_600_000_000_000 + n // each_ms, rng.randrange(KEYS), rng.uniform(0, 100),
           rng.randrange(2))
        for n in range(count)
    ]  # fmt: skip


class Run:
    """An application from JSON lines to JSON lines; `fast` is the way in columns."""

    def __init__(self, queries: str, *, fast: bool) -> None:
        self.runtime = Runtime(STREAM + queries)
        self.shape = Shape({"Taps": self.runtime.attributes("Taps")}, "Taps")
        self.out = io.BytesIO()
        told = {name: self.runtime.attributes(name) for name in self.runtime.ends()}
        made = json_lines.writer(self.out, told)
        for name in told:
            if fast:
                self.runtime.subscribe_columns(name, partial(made.columns, name))
            else:
                self.runtime.subscribe(name, partial(made.rows, name))

    def send(self, batch: Batch) -> None:
        """Send a batch at its events' times."""
        self.runtime.send(batch.stream, batch.columns, ts=batch.times)


def _unfit(error: Exception) -> None:
    raise error


def batches(data: bytes, shape: Shape, size: int, *, fast: bool) -> Iterator[Batch]:
    """Read lines, in columns or one by one."""
    reader = json_lines.read if fast else json_lines.one_by_one
    return reader(io.BytesIO(data), shape, size, _unfit)


def _rate(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return EVENTS / (time.process_time() - began)


def _turns(work: Callable[[bool], object]) -> tuple[float, float]:
    """Give the medians of the way in columns and of that one by one, in turns."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for fast, found in rates.items():
            found.append(_rate(partial(work, fast)))
    return statistics.median(rates[True]), statistics.median(rates[False])


def throughput() -> None:
    """Print lines a second and core: in alone, and in, through and out."""
    data = b"".join(lines(EVENTS))
    print(
        f"  {'lines a second and core':<28}{'batch':>8}{'columns':>14}{'msgspec':>14}{'ratio':>8}"
    )

    def read(size: int, fast: bool) -> None:
        shape = Run(QUERIES["filter"], fast=fast).shape
        for _ in batches(data, shape, size, fast=fast):
            pass

    def through(queries: str, size: int, fast: bool) -> bytes:
        run = Run(queries, fast=fast)
        for batch in batches(data, run.shape, size, fast=fast):
            run.send(batch)
        return run.out.getvalue()

    work: dict[str, Callable[[int, bool], object]] = {"in alone": read}
    work |= {name: partial(through, text) for name, text in QUERIES.items()}
    for name, one in work.items():
        for size in BATCHES:
            ours, theirs = _turns(partial(one, size))
            goal = f"  goal {GOAL:,}" if name == TOGETHER and size == max(BATCHES) else ""
            print(
                f"  {name:<28}{size:>8,}{ours:>14,.0f}{theirs:>14,.0f}{ours / theirs:>8.1f}{goal}"
            )
    same = through(QUERIES[TOGETHER], 1_000, True) == through(QUERIES[TOGETHER], 1_000, False)
    print(f"  the bytes written are {'the same' if same else 'NOT the same'}")


def columnar_files() -> None:
    """Print events a second and core from Arrow to Arrow, beside rows through Python lists."""
    run = Run(QUERIES["filter"], fast=True)
    recorded = io.BytesIO()
    with writer("arrow", recorded, run.shape.definitions) as made:
        for batch in batches(b"".join(lines(EVENTS)), run.shape, 10_000, fast=False):
            made.rows("Taps", batch.times[-1], batch.rows(), [])

    def through(fast: bool) -> None:
        run = Run(QUERIES["filter"], fast=True)
        told, out = {"Hot": run.runtime.attributes("Hot")}, io.BytesIO()
        with writer("arrow", out, told) as made:
            chosen = made if fast else by_rows(made.rows)
            run.runtime.subscribe_columns("Hot", partial(chosen.columns, "Hot"))
            recorded.seek(0)
            for batch in arrow.read(recorded, run.shape, 10_000, _unfit):
                run.send(batch if fast else batch.lists())

    ours, theirs = _turns(through)
    print(f"  {'Arrow, filter, Arrow':<28}{10_000:>8,}{ours:>14,.0f}{theirs:>14,.0f}"
          f"{ours / theirs:>8.1f}  beside Python lists")  # fmt: skip


def latency() -> None:
    """Print how long events take under loads that do not wait."""
    print(f"\n  {'open loop, three together':<28}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}"
          f"{'most ms':>9}{'batch':>8}")  # fmt: skip
    for rate, goal in LOADS.items():
        found = [_under(rate) for _ in range(ROUNDS)]
        spent, size = sorted(found, key=lambda one: float(np.percentile(one[0], 99)))[ROUNDS // 2]
        p50, p99 = np.percentile(spent, [50, 99])
        print(f"  {'':<28}{rate:>10,}{p50:>9.2f}{p99:>9.2f}{spent.max():>9.2f}{size:>8,.0f}"
              f"  goal {goal:g} ms")  # fmt: skip


def _under(rate: int, seconds: float = 2.0) -> tuple[np.ndarray, float]:
    """Give each event's time in ms, the first tenth left out, and the mean size of a batch."""
    made = lines(int(rate * seconds), each_ms=max(1, rate // 1_000))
    ends = np.cumsum([len(line) for line in made])
    data = b"".join(made)
    run = Run(QUERIES[TOGETHER], fast=True)
    scanner = json_columns.Scanner("Taps", run.shape, 1 << 14)
    spent = np.empty(len(made))
    done = turns = 0
    gc.collect()
    gc.freeze()
    began = time.process_time()
    while done < len(made):
        due = min(int((time.process_time() - began) * rate), len(made), done + (1 << 14))
        if due == done:
            continue
        first = int(ends[done - 1]) if done else 0
        scanner.read(json_columns.Piece.of(data[first : int(ends[due - 1])]), 0)
        run.send(scanner.take())
        now = time.process_time() - began
        spent[done:due] = (now - np.arange(done, due) / rate) * 1e3
        done, turns = due, turns + 1
    gc.unfreeze()
    return spent[len(made) // 10 :], len(made) / turns


def memory() -> None:
    """Print the bytes a key takes, a state of each kind in a process of its own."""
    print(f"\n  {'bytes a key, with':<28}" + "".join(f"{keys:>12,}" for keys in GROWTH) + "  keys")
    context = multiprocessing.get_context("spawn")
    for name in STATES:
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
            taken = [pool.submit(_taken, name, keys).result() for keys in GROWTH]
        print(f"  {name:<28}" + "".join(f"{bytes_:>12,.0f}" for bytes_ in taken))


def _taken(name: str, keys: int) -> float:
    runtime = Runtime(STREAM + STATES[name])
    runtime.subscribe_columns("Out", lambda _columns: None)

    def send(first: int, count: int) -> None:
        names = [f"key-{first + at:09}" for at in range(count)]
        columns = {"k": names, "v": np.ones(count), "kind": np.zeros(count, np.int64)}
        runtime.send("Taps", columns, ts=1_600_000_000_000)

    send(-1_000, 1_000)
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    for first in range(0, keys, 10_000):
        send(first, 10_000)
    gc.collect()
    return (process.memory_info().rss - before) / keys


def main(_seconds: float = 0) -> None:
    """Measure it all."""
    throughput()
    columnar_files()
    latency()
    memory()


if __name__ == "__main__":
    with directory() as folder:
        print(describe(folder))
    main()
