"""The event-processing engine beside the real Siddhi, in turns, on the same events.

Siddhi 5.1 runs on the machine's Java 17 from the jars that the wheel `PySiddhi` carries, driven by
`bench/rivals/Siddhi.java`: no bridge lies between. Both are given the same recorded events again
and again, event time going on, in batches as they come, held as a program around each engine holds
them: Java's as rows of boxed values with interned strings, ours as numpy columns with strings as
codes of a dictionary. What is timed is the sending, with the pass's offset added to the times. The
rows that come out of the first pass are counted on both sides and must agree. The figures are
medians of `ROUNDS` runs each.

What goes by key is measured with as many keys as a fleet has devices as well: how many there are
changes what waits, what lies in the caches, and for Siddhi what an unkeyed pattern looks at.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.installation import directory
from moorage_flow import App, Runtime
from moorage_flow.columnar import Dictionary, Words
from moorage_flow.columns import Columns

ROUNDS = 3
BATCHES = (1, 100, 1_000, 10_000)
EVENTS, KEYS = 100_000, 100
MANY_KEYS, MANY_BATCHES = 10_000, (1_000, 10_000)
WARM_S = 2.0
ROOT = Path(__file__).parents[1]
JARS = ROOT / ".venv" / "siddhi"

_HEAD = "@app:playback\ndefine stream Taps (k string, v double, kind int);\n"
_TWO = (
    "@app:playback\ndefine stream Taps (k string, v double, kind int);\n"
    "define stream Other (k string, v double, kind int);\n"
)


@dataclass(frozen=True)
class Case:
    """An app, and the ratio that is aimed at, for batches of 1,000.

    Attributes:
        streams: what the events are sent to, in runs as long as a batch.
        events: how many are recorded; less where each costs much.
        keys: how many keys they have.
        batches: how many come at once.
    """

    name: str
    app: str
    goal: float
    streams: tuple[str, ...] = ("Taps",)
    events: int = EVENTS
    keys: int = KEYS
    batches: tuple[int, ...] = BATCHES


CASES = (
    Case("filter", _HEAD + "from Taps[v > 50.0] select k, v insert into Out;", 10),
    Case("tumbling by key",
         _HEAD + "from Taps#window.timeBatch(1 sec) select k, sum(v) as s, count() as n group by k "
         "insert into Out;", 10),
    Case("sliding per event",
         _HEAD + "from Taps#window.time(1 sec) select k, avg(v) as a group by k "
         "insert into Out;", 10),
    Case("length window per key",
         _HEAD + "partition with (k of Taps) begin from Taps#window.length(10) select k, "
         "avg(v) as a insert into Out; end;", 1),
    Case("pattern keyed",
         _HEAD + "partition with (k of Taps) begin from every a=Taps[kind == 0] -> "
         "b=Taps[kind == 1 and v > a.v] within 1 sec select a.k, a.v as x, b.v as y "
         "insert into Out; end;", 100),
    Case("pattern unkeyed equality",
         _HEAD + "from every a=Taps[kind == 0] -> b=Taps[kind == 1 and k == a.k] within 1 sec "
         "select a.k, a.v as x, b.v as y insert into Out;", 1_000, events=20_000),
    Case("join keyed",
         _TWO + "partition with (k of Taps, k of Other) begin from Taps#window.length(20) join "
         "Other#window.length(20) on Taps.k == Other.k select Taps.k, Taps.v as x, Other.v as y "
         "insert into Out; end;", 30, ("Taps", "Other"), 20_000),
    Case("join unkeyed",
         _TWO + "from Taps#window.length(1000) join Other#window.length(1000) on Taps.k == Other.k "
         "select Taps.k, Taps.v as x, Other.v as y insert into Out;", 1, ("Taps", "Other"), 10_000),
    Case("absent pattern",
         _HEAD + "partition with (k of Taps) begin from every a=Taps[kind == 0] -> "
         "not Taps[kind == 1] for 1 sec select a.k, a.v as x insert into Out; end;", 1,
         events=20_000),
    Case("aggregation by second",
         _HEAD + "define aggregation Sums from Taps select k, sum(v) as s, count() as n group by k "
         "aggregate every sec ... min; from Taps[v > 100.0] select k insert into Out;", 1),
)  # fmt: skip
KEYED = ("length window per key", "pattern keyed", "pattern unkeyed equality", "join keyed")
"""Those that are measured with `MANY_KEYS`, too."""


class Event(msgspec.Struct):
    """One recorded event."""

    stream: str
    ts: int
    k: str
    v: float
    kind: int


@dataclass(frozen=True)
class Run:
    """What one run came to.

    Attributes:
        rate: events a second of processor time.
        first: rows out of the first pass.
    """

    rate: float
    first: int


def cases() -> Iterator[Case]:
    """Give what is measured: each case, and right behind it the same with many keys."""
    for case in CASES:
        yield case
        if case.name in KEYED:
            yield replace(case, keys=MANY_KEYS, batches=MANY_BATCHES)


def record(case: Case) -> list[Event]:
    """Make events, always the same: 20 a millisecond of event time, random keys and values."""
    rng = random.Random(7)
    return [
        Event(
            case.streams[n // 1_000 % len(case.streams)], 1_600_000_000_000 + n // 20,
            f"key-{rng.randrange(case.keys)}", round(rng.uniform(0, 100), 2), rng.randrange(2),
        )
        for n in range(case.events)
    ]  # fmt: skip


def main(seconds: float) -> None:
    """Measure every case at every size of batch."""
    if not (jars := sorted(JARS.rglob("*.jar"))) or shutil.which("java") is None:
        print("  Siddhi is not installed, so there is no rival: make bench-flow")
    with directory() as made:
        classes = _compile(jars, made) if jars else None
        print("  sent is what a program around each engine holds, made beforehand:")
        print("  rows of boxed values there, numpy columns and dictionary codes here")
        print(f"  {'events a second and core':<28}{'keys':>8}{'batch':>8}"
              f"{'Moorage':>14}{'Siddhi':>14}{'ratio':>9}  path")  # fmt: skip
        for case in cases():
            events = record(case)
            (made / "app.siddhi").write_text(case.app)
            lines = (f"{e.stream}\t{e.ts}\t{e.k}\t{e.v}\t{e.kind}\n" for e in events)
            (made / "events").write_text("".join(lines))
            for batch in case.batches:
                _compare(case, batch, seconds, made, classes)


def _compare(case: Case, batch: int, seconds: float, made: Path, classes: str | None) -> None:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_ours(made, batch, seconds))
        if classes is not None:
            theirs.append(_theirs(made, batch, seconds, classes))
    our = statistics.median(run.rate for run in ours)
    their = statistics.median(run.rate for run in theirs) if theirs else float("nan")
    line = f"  {case.name:<28}{case.keys:>8,}{batch:>8,}"
    line += f"{our:>14,.0f}{their:>14,.0f}{our / their:>9.2f}"
    explained = Runtime(App.parse(case.app)).explain()
    print(f"{line}  {', '.join(sorted({path for _name, path, _why in explained}))}"
          + (f"  goal {case.goal:,}" if batch == 1_000 else ""))  # fmt: skip
    if theirs and ours[0].first != theirs[0].first:
        print(f"    the rows differ: {ours[0].first:,} here, {theirs[0].first:,} from Siddhi")


def _ours(made: Path, batch: int, seconds: float) -> Run:
    """Measure in a process of its own, as the rival does."""
    command = [sys.executable, "-P", "-m", "bench.flow", str(made), str(batch), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    rate, first = json.loads(ended.stdout)
    return Run(rate, first)


def _theirs(made: Path, batch: int, seconds: float, classes: str) -> Run:
    command = ["java", "-cp", classes, "Siddhi", str(made / "app.siddhi"), str(made / "events"),
               str(batch), str(WARM_S), str(seconds)]  # fmt: skip
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    sent, _took, spent, _out, first = map(int, ended.stdout.split()[-5:])
    return Run(sent / spent * 1e9, first)


def _compile(jars: Sequence[Path], made: Path) -> str:
    """Compile the driver; give the class path."""
    path = os.pathsep.join(map(str, jars))
    source = Path(__file__).parent / "rivals" / "Siddhi.java"
    subprocess.run(["javac", "-proc:none", "-cp", path, "-d", str(made), str(source)], check=True)
    return os.pathsep.join([str(made), path])


# --- One run of ours ------------------------------------------------------


def measure(made: Path, batch: int, seconds: float) -> Run:
    """Send the recorded events again and again, as columns made beforehand."""
    lines = (made / "events").read_text().splitlines()
    batches = list(_cut([line.split("\t") for line in lines], batch))
    span = int(batches[-1][2][-1] - batches[0][2][0] + 1)
    runtime = Runtime(App.parse((made / "app.siddhi").read_text()))
    rows = 0

    def count(columns: Columns) -> None:
        nonlocal rows
        rows += columns.rows

    runtime.subscribe_columns("Out", count)
    runtime.start()
    first, turn, sent, began = None, 0, 0, time.monotonic()
    measuring, until, spent = False, began + WARM_S / 4, 0.0
    while True:
        shift = np.array(turn * span)
        for stream, columns, times in batches:
            runtime.send(stream, columns, ts=times + shift)
            sent += len(times)
            if first is not None and time.monotonic() > until:
                break
        first = rows if first is None else first
        turn += 1
        if time.monotonic() > until:
            if measuring:
                return Run(sent / (time.process_time() - spent), first)
            measuring, sent, spent = True, 0, time.process_time()
            until = time.monotonic() + seconds


def _cut(
    rows: Sequence[Sequence[str]], batch: int
) -> Iterator[tuple[str, dict[str, Any], NDArray[np.int64]]]:
    """Cut the events into batches of one stream each; give its name, columns and times."""
    names = list(dict.fromkeys(row[2] for row in rows))
    words, code_of = Words(names), {name: code for code, name in enumerate(names)}
    at = 0
    while at < len(rows):
        end = at + 1
        while end < len(rows) and end - at < batch and rows[end][0] == rows[at][0]:
            end += 1
        some = rows[at:end]
        columns = {
            "k": Dictionary(np.array([code_of[row[2]] for row in some]), words),
            "v": np.array([float(row[3]) for row in some]),
            "kind": np.array([int(row[4]) for row in some]),
        }
        yield some[0][0], columns, np.array([int(row[1]) for row in some])
        at = end


if __name__ == "__main__":
    run = measure(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps([run.rate, run.first]))
