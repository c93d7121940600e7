"""The applications that both engines run: most mix two things, and some are asked questions."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from bench.flow_rows.engines import Case

_FIELDS = "(k string, a int, b long, f float, d double, t bool)"
HEAD = f"@app:playback define stream S {_FIELDS}; define stream T {_FIELDS}; "
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
_STORES = (
    "define table M (k string, a int, b long);",
    "@PrimaryKey('k') define table M (k string, a int, b long);",
    "@Index('a') define table M (k string, a int, b long);",
    "define window M (k string, a int, b long) length(4);",
    "define window M (k string, a int, b long) sort(3, a);",
)
_QUESTIONS = (
    "from M", "from M on a > 2 select k, a", "from M on M.k == 'x' and a < 4 select k, b",
    "from M select k, sum(a) as s group by k having s > 1", "from M select count() as n",
    "from M on not (k == 'y') select k, max(b) as m group by k order by a",
    "from M select k, a, b order by a desc, b, k limit 2", "from M on nothing == 1 select k",
    "from M select k having b > 3L order by k, a, b limit 1 offset 1",
)  # fmt: skip
_ORDERS = (
    "select 'x' as k, 7 as a, 7L as b insert into M", "delete M on M.a > 4",
    "update M set M.b = 1L on M.k == 'y'", "select 'z' as k delete M on M.k == k",
    "select 'x' as k, 3 as a, 9L as b update or insert into M on M.k == k",
)  # fmt: skip
_AGGREGATED = (
    "k, sum(a) as s, count() as n group by k", "k, avg(d) as m, a as latest group by k",
    "min(a) as l, max(a) as h", "k, distinctCount(a) as c, (a * d) as p group by k",
)  # fmt: skip
_TIMED = (
    "define stream R (k string, a int, d double, ts long); "
    "define aggregation A from R select {0} aggregate by ts every sec ... year; "
    "from S select k, a, d, eventTimestamp() as ts insert into R; "
)
_WITHIN = (
    "'1970-01-01 **:**:**'", "0L, 9000000L", "'1970-01-01 05:30:00 +05:30', '1970-01-02 00:00:00'",
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


def questions() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each application that is asked, and what it is asked and told to do."""
    q = "@info(name = 'q') "
    for store in _STORES:
        asked = _QUESTIONS + (_ORDERS if "table" in store else ())
        yield f"{store} {q}from S select k, a, b insert into M;", asked
    for chosen in _AGGREGATED:
        made = _TIMED.format(chosen)
        asked = tuple(
            f"from A within {within} per '{per}'"
            for within in _WITHIN
            for per in ("seconds", "minutes", "days")
        )
        yield f"{made}{q}from S select k insert into O;", asked


def cases() -> Iterator[Case]:
    """Give every application three times: with single events, with nulls and with batches; those
    that are asked a question behind every other batch, the last ones saved and begun anew.
    """
    for app, query in applications():
        for seed in (1, 2, 3):
            yield {"app": HEAD + app, "query": query, "steps": list(_sent(app, seed))}
    for app, asked in questions():
        for seed in (1, 2, 3):
            steps: list[list[Any]] = []
            rng = random.Random(seed)
            for at, step in enumerate(_sent(app, 3 if seed == 3 else 1, seed)):
                steps.append(step)
                if at % 2:
                    steps += [["ask", asking] for asking in rng.sample(asked, 2)]
                if at == 10 and "aggregation" not in app:
                    steps += [["save"], ["load"]]
            # In playback what Siddhi's aggregations tell differs from run to run.
            head = HEAD.removeprefix("@app:playback ") if "aggregation" in app else HEAD
            yield {"app": head + app, "query": "q", "steps": steps}


def _sent(app: str, kind: int, seed: int = 0) -> Iterator[list[Any]]:
    """Make batches of random events: of kind 2 with nulls, of kind 3 several together."""
    rng = random.Random(seed or kind)
    streams = [name for name in "ST" if re.search(rf"\b{name}\b", app)]
    at = 1_000_000
    for _ in range(20):
        rows = []
        for _ in range(rng.choice((1, 1, 2, 3)) if kind == 3 else 1):
            at += rng.choice((0, 10, 100, 300, 500, 1_100))
            values = [
                rng.choice("xyz"), rng.randrange(-1, 6), rng.randrange(12),
                rng.randrange(40) / 4, rng.randrange(400) / 10, rng.random() < 0.5,
            ]  # fmt: skip
            nulls = 0.15 if kind == 2 and "PrimaryKey" not in app else 0.0
            rows.append((at, [None if rng.random() < nulls else value for value in values]))
        yield ["send", rng.choice(streams), rows]
