"""The event-processing engine's rows beside the real Siddhi's, for small applications.

`python -m bench flow-rows`. Every window with four selections, patterns, sequences, joins, tables
and functions, each sent random events three times: one by one, with nulls, and in batches. Both run
in playback, so that time is that of the events and nothing is left to chance. Prints how many runs
give other rows, and of each the first row in which they differ. Siddhi is that of `bench.flow` (its
wheel carries 5.1.7, which tells every row of a batch) or of the jars in the folder `SIDDHI_JARS`.
What is left beside 5.1.30 stands in docs/flow/operations.md, "Where it departs from Siddhi".
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.flow import JARS
from bench.installation import directory
from moorage_flow import AppInvalid, Clock, Runtime

Case = dict[str, Any]
Told = list[list[list[Any]]] | None
"""For each call, the rows that came and those that left; None: the application is refused."""

_FIELDS = "(k string, a int, b long, f float, d double, t bool)"
_HEAD = f"@app:playback define stream S {_FIELDS}; define stream T {_FIELDS}; "
_TABLE = "{0} define table M (k string, a int, b long); from S[t] select k, a, b insert into M; "

_WINDOWS = (
    "length(3)", "lengthBatch(3)", "lengthBatch(3, true)", "time(500)", "timeBatch(500)",
    "timeBatch(1 sec, 200)", "timeLength(1 sec, 3)", "externalTime(b, 4)", "batch()",
    "externalTimeBatch(eventTimestamp(), 500)", "session(300 milliseconds)",
    "session(500 milliseconds, k, 200 milliseconds)", "sort(3, a)", "sort(3, k, 'asc', a, 'desc')",
    "frequent(2, k)", "lossyFrequent(0.3, 0.1, k)", "expression('count() <= 3')",
    "expression('last.a - first.a < 3')", "expressionBatch('sum(a) < 8')",
    "expressionBatch('last.k == first.k', true)",
)  # fmt: skip
_SELECTIONS = (
    "k, a, b insert all events into O;",
    "k, sum(a) as s, count() as n insert all events into O;",
    "k, sum(a) as s, max(d) as m, min(f) as l group by k insert all events into O;",
    "k, avg(d) as s, stdDev(a) as e, distinctCount(a) as c group by k having s > 10.0 order by k "
    "limit 2 insert into O;",
)
_PATTERNS = (
    "every e1=S -> e2=T[k == e1.k] within 1 sec", "(every e1=S -> e2=T) within 500 milliseconds",
    "e1=S[a > 1] -> every e2=T", "every e1=S, e2=T", "every e1=S[a > 0], e2=S[a > e1.a]",
    "e1=S<2:3> -> e2=T", "every e1=S<1:2> -> e2=T", "e1=S+, e2=T", "every e1=S*, e2=T[a > 1]",
    "every e1=S?, e2=T", "e1=S and e2=T", "e1=S or e2=T", "every (e1=S or e2=T)",
    "every e1=S -> e2=T and not S[a > 2]", "every (e1=S<2> -> e2=T)",
)  # fmt: skip
_JOINS = (
    "S#window.length(2) {0} T#window.length(2)", "S#window.time(500) {0} T#window.time(1 sec)",
    "S#window.sort(2, a) {0} T#window.length(2)", "S#window.length(2) {0} T",
)  # fmt: skip
_CHANGES = (
    "update M set M.b = b + M.a, M.a = 3 on M.k == k and M.a < a", "update M on M.k == k",
    "update or insert into M on M.k == k", "update or insert into M set M.b = M.b + 1 on M.k == k",
)  # fmt: skip
_FUNCTIONS = (
    "convert(d, 'int')", "convert(f, 'string')", "coalesce(a, 7)", "default(d, 1.0)", "a / 2",
    "ifThenElse(t, a, 0)", "maximum(a, 2)", "a % 3", "a * f", "d % 3", "b / 2L", "a == d",
    "f >= 2.5", "a is null", "not t", "sum(a) + 1", "maxForever(d)", "distinctCount(k)",
    "instanceOfFloat(f)",
)  # fmt: skip


def applications() -> Iterator[tuple[str, str]]:
    """Give each application, without its streams, and the query that is listened to."""
    q = "@info(name = 'q') "
    for window in _WINDOWS:
        for selection in _SELECTIONS:
            yield f"{q}from S#window.{window} select {selection}", "q"
    for pattern in _PATTERNS:
        at = {n: "[0]" if re.search(rf"e{n}=\w+[<+*?]", pattern) else "" for n in (1, 2)}
        chosen = f"e1{at[1]}.a as x, e2{at[2]}.a as y"
        yield f"{q}from {pattern} select {chosen} insert into O;", "q"
    for join in _JOINS:
        for kind in ("join", "left outer join", "right outer join", "full outer join"):
            over = join.format(kind)
            chosen = "S.k as k, S.a as x, T.a as y insert all events into O;"
            yield f"{q}from {over} on S.k == T.k select {chosen}", "q"
    for keys in ("", "@PrimaryKey('k')", "@Index('k')"):
        for change in _CHANGES:
            looked = (
                f"{q}from T join M on M.k == T.k select M.k as k, M.a as a, M.b as b insert into O;"
            )
            yield f"{_TABLE.format(keys)} {looked} from T select k, a, b {change};", "q"
    for function in _FUNCTIONS:
        yield f"{q}from S select k, {function} as v insert into O;", "q"


def main() -> None:
    """Run every application on both, and print where they differ."""
    jars = sorted(Path(os.environ.get("SIDDHI_JARS", JARS)).rglob("*.jar"))
    if not jars or shutil.which("java") is None:
        print("  Siddhi is not installed, so there is nothing to compare with: make bench-flow")
        return
    logging.getLogger("moorage_flow").setLevel(logging.CRITICAL)  # Events that both fail on.
    cases = [
        {"app": _HEAD + app, "query": query, "sent": list(_sent(app, seed))}
        for app, query in applications()
        for seed in (1, 2, 3)
    ]
    with directory() as made:
        theirs = _theirs(cases, made, os.pathsep.join(map(str, jars)))
    differ = 0
    for case, told in zip(cases, theirs, strict=True):
        found = _first(told, _ours(case))
        if found is not None:
            differ += 1
            print(
                f"  {case['app'].removeprefix(_HEAD)}\n    Siddhi {found[0]}\n    here   {found[1]}"
            )
    print(f"  {len(cases)} runs of {len(cases) // 3} applications: {differ} differ")


def _sent(app: str, seed: int) -> Iterator[tuple[str, list[tuple[int, list[Any]]]]]:
    """Make batches of random events: the second time with nulls, the third several together."""
    rng = random.Random(seed)
    streams = [name for name in "ST" if re.search(rf"\b{name}\b", app)]
    at = 1_000_000
    for _ in range(20):
        rows = []
        for _ in range(rng.choice((1, 1, 2, 3)) if seed == 3 else 1):
            at += rng.choice((0, 10, 100, 300, 500, 1_100))
            values = [
                rng.choice("xyz"), rng.randrange(-1, 6), rng.randrange(12),
                rng.randrange(40) / 4, rng.randrange(400) / 10, rng.random() < 0.5,
            ]  # fmt: skip
            nulls = 0.15 if seed == 2 and "PrimaryKey" not in app else 0.0
            rows.append((at, [None if rng.random() < nulls else value for value in values]))
        yield rng.choice(streams), rows


def _ours(case: Case) -> Told:
    try:
        runtime = Runtime(case["app"], clock=Clock(0), path="reference")
    except AppInvalid:
        return None
    told: list[list[list[Any]]] = []

    def note(_at: int, came: list[Any], left: list[Any]) -> None:
        told.append([[list(row) for row in came], [list(row) for row in left]])

    runtime.subscribe(case["query"], note)
    runtime.start()
    for stream, rows in case["sent"]:
        runtime.send(stream, [row for _, row in rows], ts=[at for at, _ in rows])
    return told


def _theirs(cases: list[Case], made: Path, jars: str) -> list[Told]:
    source = Path(__file__).parent / "rivals" / "SiddhiRows.java"
    subprocess.run(["javac", "-proc:none", "-cp", jars, "-d", str(made), str(source)], check=True)
    (made / "cases").write_text("".join(json.dumps(case) + "\n" for case in cases))
    command = ["java", "-cp", os.pathsep.join([str(made), jars]), "SiddhiRows", str(made / "cases")]
    with (made / "log").open("w") as log:
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=log, text=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _first(theirs: Told, ours: Told) -> tuple[Any, Any] | None:
    """Give the first rows that differ; how rows are spread over calls does not count."""
    if theirs is None or ours is None:
        return None if theirs is ours else (theirs and theirs[:1], ours and ours[:1])
    for kind in (0, 1):
        pair = [[row for call in told for row in call[kind]] for told in (theirs, ours)]
        for left, right in zip_longest(*pair):
            if left is None or right is None or not all(map(_same, left, right)):
                return left, right
    return None


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float | int):
        return math.isclose(left, right, rel_tol=1e-6) or (math.isnan(left) and math.isnan(right))
    return bool(left == right)
