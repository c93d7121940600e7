"""Both paths give the same rows, whatever the queries and however the input is cut."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import moorage_flow
from moorage_flow import EventInvalid, FlowError, Runtime, StateInvalid
from moorage_flow.columnar import Dictionary, Words, compiled, kernels, pending, store, windows

S = "define stream S (k string, g int, v int, l long, d double, f float, b bool); "

WHOLE = ["v", "l", "g", "v + 3", "l * 2", "v % 3", "v / g"]
REAL = ["d", "f", "d * 2.0", "f + v", "d / g"]
SCALARS = [
    *WHOLE,
    *REAL,
    "k",
    "b",
    "ifThenElse(v > 2, d, d + 1.0)",
    "coalesce(k, 'none')",
    "convert(d, 'int')",
    "convert(v, 'string')",
    "maximum(v, g)",
    "eventTimestamp()",
    "instanceOfInteger(v)",
    "cast(d, 'double')",
    "default(l, 7L)",
]
CONDITIONS = [
    "v > 2",
    "d < 1.5 and b",
    "k == 'a' or l >= 3",
    "not (v == g)",
    "k is null",
    "f != d",
    "v < l",
    "k != 'b'",
    "l > d",
]
AGGREGATES = [
    *(
        f"{name}({value})"
        for name in ("sum", "avg", "min", "max")
        for value in ("v", "l", "d", "f")
    ),
    "count()",
    "stdDev(d)",
    "distinctCount(k)",
    "minForever(d)",
    "maxForever(v)",
    "and(b)",
    "or(b)",
    "sum(v) + count()",
    "sum(v + g)",
]
WINDOWS = [
    "",
    "#window.length(3)",
    "#window.length(0)",
    "#window.lengthBatch(4)",
    "#window.lengthBatch(3, true)",
    "#window.time(20)",
    "#window.timeLength(30, 3)",
    "#window.timeBatch(25)",
    "#window.timeBatch(25, 5)",
    "#window.timeBatch(25, true)",
    "#window.externalTime(l, 3)",
    "#window.externalTimeBatch(l, 3)",
    "#window.externalTimeBatch(l, 3, 1)",
    "#window.batch()",
    "#window.batch(2)",
]

rows = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.integers(-2, 3),
    st.one_of(st.none(), st.integers(-5, 5), st.just(2**31 - 1)),
    st.one_of(st.integers(0, 12), st.just(2**60 + 1)),
    st.one_of(st.none(), st.floats(-3, 3).map(lambda x: round(x, 3)), st.just(float("inf"))),
    st.one_of(st.none(), st.floats(-3, 3, width=32)),
    st.one_of(st.none(), st.booleans()),
)


@st.composite
def selections(draw: st.DrawFn, *, grouped: bool = True) -> str:
    """Draw what a query selects, groups by and leaves out."""
    chosen = draw(st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3))
    sums = draw(st.lists(st.sampled_from(AGGREGATES), max_size=3))
    columns = [f"{e} as c{at}" for at, e in enumerate([*chosen, *sums])]
    group = draw(st.sampled_from(["", "", " group by k", " group by k, g", " group by f"]))
    having = ""
    if sums and draw(st.booleans()):
        having = f" having c{len(chosen)} is null or not (c{len(chosen)} == c{len(chosen)})"
        if not sums[0].startswith(("and", "or")):
            having = f" having c{len(chosen)} > 1"
    order = draw(st.sampled_from(["", "", "", " order by c0 limit 2", " limit 1 offset 1"]))
    return f"select {', '.join(columns)}{group if grouped else ''}{having}{order}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Draw one query over S, or a partition with two."""
    where = draw(st.sampled_from(["", *(f"[{c}]" for c in CONDITIONS)]))
    window = draw(st.sampled_from(WINDOWS))
    kind = draw(st.sampled_from(["", "", "expired events ", "all events "]))
    rate = draw(
        st.sampled_from(["", "", "", " output last every 3 events", " output every 30 millisec"])
    )
    name = "@info(name = 'q') "
    query = f"{name}from S{where}{window} {draw(selections())}{rate} insert {kind}into Out;"
    partition = draw(
        st.sampled_from(["", "", "k of S", "g of S", "v > 0 as 'x' or g > 0 as 'y' of S", "d of S"])
    )
    return f"partition with ({partition}) begin {query} end;" if partition else query


@st.composite
def batches(draw: st.DrawFn) -> list[list[tuple[int, tuple[Any, ...]]]]:
    """Draw batches of timed rows; time mostly goes on, and sometimes back."""
    out: list[list[tuple[int, tuple[Any, ...]]]] = []
    now = 1_000
    for size in draw(st.lists(st.integers(1, 9), min_size=1, max_size=7)):
        batch = []
        for _ in range(size):
            now += draw(st.sampled_from([0, 1, 5, 12, -3]))
            batch.append((now, draw(rows)))
        out.append(batch)
    return out


def play(
    app: str, path: Any, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], *, cut: int = -1
) -> list[Any]:
    """Send batches to an application and give all it told, calls included."""
    told: list[Any] = []
    runtime = start(app, path, told)
    for at, one in enumerate(sent):
        if at == cut:
            kept = runtime.snapshot()
            runtime = start(app, path, told)
            runtime.restore(kept)
        send(runtime, [one])
    return told


def send(runtime: Runtime, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]]) -> None:
    for stream, batch in sent:
        runtime.send(stream, [row for _, row in batch], ts=[ts for ts, _ in batch])


def start(app: str, path: Any, told: list[Any], *, playback: bool = True) -> Runtime:
    runtime = Runtime(("@app:playback " if playback else "") + app, path=path)
    for name in ("q", "Out") if runtime.queries else ():
        runtime.subscribe(
            name,
            lambda ts, came, left, name=name: told.append((name, ts, shown(came), shown(left))),
        )
    runtime.start()
    return runtime


def shown(rows_: list[tuple[Any, ...]]) -> list[Any]:
    """Give rows so that NaN equals itself, and 1 is not 1.0."""
    return [tuple((type(v).__name__, repr(v)) for v in row) for row in rows_]


pytestmark = pytest.mark.search

# Without Phase.explain: its tracing of every line takes longer than a test may.
COMMON = settings(
    max_examples=settings.default.max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@COMMON
@given(queries(), batches())
def test_a_query_over_one_stream_gives_the_same_rows_on_both_paths(
    query: str, sent: list[list[tuple[int, tuple[Any, ...]]]]
) -> None:
    timed = [("S", batch) for batch in sent]
    assert play(S + query, "columnar", timed) == play(S + query, "reference", timed)


@COMMON
@given(queries(), batches(), st.integers(0, 6))
def test_a_snapshot_goes_on_where_it_was_taken(
    query: str, sent: list[list[tuple[int, tuple[Any, ...]]]], cut: int
) -> None:
    timed = [("S", batch) for batch in sent]
    assert play(S + query, "columnar", timed, cut=cut) == play(S + query, "columnar", timed)


T = "define stream T (k string, g int, v int, l long, d double, f float, b bool); "
FIRSTS = ["", "[v > 0]", "[b]", "[k != 'c']"]
SECONDS = [
    "k == e1.k",
    "v == e1.v",
    "e1.g == g",
    "v > e1.v",
    "e1.d <= d",
    "d > 0.0",
    "e1.v > 1",
    "b == e1.b",
    "v + g > e1.v * 2",
    "f != e1.f",
    "l == e1.v",
]


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Draw `every A -> B within` over one stream or two, in a partition or not."""
    second = draw(st.sampled_from(["S", "T"]))
    conditions = draw(st.lists(st.sampled_from(SECONDS), max_size=3))
    where = f"[{' and '.join(conditions)}]" if conditions else ""
    within = draw(st.sampled_from(["", " within 10 millisec", " within 30 millisec"]))
    chosen = draw(
        st.sampled_from(
            [
                "e1.k as k, e1.v as v, e2.v as w",
                "e1.d + e2.d as d, eventTimestamp() as at",
                "count() as n, sum(e2.v) as s",
                "e1.k as k, max(e1.d) as m, avg(e2.l) as a group by e1.k",
            ]
        )
    )
    first = draw(st.sampled_from(FIRSTS))
    query = (
        f"@info(name = 'q') from every e1=S{first} -> e2={second}{where}{within} "
        f"select {chosen} insert into Out;"
    )
    keys = draw(st.sampled_from(["", "", "k of S, k of T", "g of S, l of T"]))
    if second == "S" and keys:
        keys = keys.split(",", maxsplit=1)[0]
    return f"partition with ({keys}) begin {query} end;" if keys else query


@st.composite
def mixed(draw: st.DrawFn) -> list[tuple[str, list[tuple[int, tuple[Any, ...]]]]]:
    """Draw batches of two streams."""
    return [(draw(st.sampled_from("ST")), batch) for batch in draw(batches())]


@COMMON
@given(patterns(), mixed(), st.integers(0, 6))
def test_a_pattern_gives_the_same_rows_on_both_paths(
    query: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], cut: int
) -> None:
    told = play(S + T + query, "columnar", sent)
    assert told == play(S + T + query, "reference", sent)
    assert told == play(S + T + query, "columnar", sent, cut=cut)


@st.composite
def absences(draw: st.DrawFn) -> str:
    """Draw `every A -> not B for t` over one stream or two, in a partition or not."""
    second = draw(st.sampled_from(["S", "T"]))
    conditions = draw(st.lists(st.sampled_from(SECONDS), max_size=2))
    where = f"[{' and '.join(conditions)}]" if conditions else ""
    wait = draw(st.sampled_from([1, 10, 25]))
    chosen = draw(
        st.sampled_from(
            [
                "e1.k as k, e1.v as v, e2.v as w",
                "e1.d as d, eventTimestamp() as at, currentTimeMillis() as now",
                "count() as n, sum(e1.v) as s",
                "e1.k as k, max(e1.d) as m group by e1.k",
            ]
        )
    )
    first = draw(st.sampled_from(FIRSTS))
    rate = draw(st.sampled_from(["", "", " output last every 2 events"]))
    query = (
        f"@info(name = 'q') from every e1=S{first} -> not {second}{where.replace('e2.', '')} "
        f"for {wait} millisec select {chosen}{rate} insert into Out;".replace("e2.v", "e1.g")
    )
    keys = draw(st.sampled_from(["", "k of S, k of T", "g of S, l of T"]))
    if second == "S" and keys:
        keys = keys.split(",", maxsplit=1)[0]
    return f"partition with ({keys}) begin {query} end;" if keys else query


@COMMON
@given(absences(), mixed(), st.integers(0, 6))
def test_an_absence_gives_the_same_rows_on_both_paths(
    query: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], cut: int
) -> None:
    told = play(S + T + query, "columnar", sent)
    assert told == play(S + T + query, "reference", sent)
    assert told == play(S + T + query, "columnar", sent, cut=cut)


@COMMON
@given(absences(), mixed(), st.lists(st.integers(0, 40), min_size=8, max_size=8))
def test_an_absence_gives_the_same_rows_on_the_wall_clock(
    query: str,
    sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]],
    steps: list[int],
) -> None:
    def told(path: Any) -> list[Any]:
        out: list[Any] = []
        runtime = start(S + T + query, path, out, playback=False)
        now = 990
        for (stream, batch), step in zip(sent, steps, strict=False):
            now += step
            runtime.advance(now)
            send(runtime, [(stream, batch)])
        runtime.advance(now + 100)
        return out

    assert told("columnar") == told("reference")


SLIDING = [
    "",
    "#window.length(3)",
    "#window.length(0)",
    "#window.time(20)",
    "#window.timeLength(30, 2)",
]
ON = [
    "a.k == c.k",
    "a.v == c.v",
    "a.l == c.g",
    "a.g < c.g",
    "c.d >= a.d",
    "a.b == c.b",
    "a.f == c.f",
    "a.v + c.g > 0",
    "c.k == 'a'",
]


@st.composite
def joins(draw: st.DrawFn) -> str:
    """Draw a join of two windows, of one stream or two, or of a window and a table."""
    windows = [draw(st.sampled_from(SLIDING)) for _ in range(2)]
    where = [draw(st.sampled_from(["", "", "[v > 0]", "[b]"])) for _ in range(2)]
    second = draw(st.sampled_from(["S", "T", "T", "R"]))
    kind = draw(st.sampled_from(["join", "left outer join", "right outer join", "full outer join"]))
    sides = [f"S{where[0]}{windows[0]} as a", f"{second}{where[1]}{windows[1]} as c"]
    fill = ""
    if second == "R":
        sides[1] = "R as c"
        fill = "from T select * insert into R; "
    alone = draw(st.sampled_from(["", "", " unidirectional"]))
    conditions = draw(st.lists(st.sampled_from(ON), min_size=0, max_size=3))
    on = f" on {' and '.join(conditions)}" if conditions else ""
    chosen = draw(
        st.sampled_from(
            [
                "a.k as k, a.v as v, c.v as w, c.d as d",
                "a.k as k, sum(c.v) as s, count() as n group by a.k",
                "c.l as l, eventTimestamp() as at, a.d + c.d as d",
                "max(a.d) as m, avg(c.l) as n",
            ]
        )
    )
    events = draw(st.sampled_from(["", "", "expired events ", "all events "]))
    query = (
        f"@info(name = 'q') from {sides[0]}{alone} {kind} {sides[1]}{on} "
        f"select {chosen} insert {events}into Out;"
    )
    table = (
        "@index('g') define table R (k string, g int, v int, l long, d double, f float, b bool); "
    )
    if second == "R":
        return table + fill + query
    keys = draw(st.sampled_from(["", "", "k of S, k of T", "g of S, l of T"]))
    if second == "S" and keys:
        keys = keys.split(",", maxsplit=1)[0]
    return f"partition with ({keys}) begin {query} end;" if keys else query


@COMMON
@given(joins(), mixed(), st.integers(0, 6))
def test_a_join_gives_the_same_rows_on_both_paths(
    query: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], cut: int
) -> None:
    told = play(S + T + query, "columnar", sent)
    assert told == play(S + T + query, "reference", sent)
    assert told == play(S + T + query, "columnar", sent, cut=cut)


@COMMON
@given(
    st.one_of(queries(), patterns(), absences(), joins()), mixed(), st.sampled_from([0, 1 << 15])
)
def test_rows_no_longer_needed_are_dropped_and_the_rows_told_are_the_same(
    query: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], much: int
) -> None:
    app = S + T + query
    told = play(app, "reference", sent)
    with pytest.MonkeyPatch.context() as here:
        for module in (windows, pending):
            here.setattr(module, "LEAST", 2)
        here.setattr(store, "MUCH", much)
        assert play(app, "columnar", sent) == told


def test_an_aggregation_forgets_what_it_no_longer_keeps() -> None:
    app = (
        "@app:playback define stream S (k string, v int); "
        "@purge(enable='true', interval='1 sec', @retentionPeriod(sec='120 sec')) "
        "define aggregation A from S select k, sum(v) as s, max(v) as m group by k "
        "aggregate every sec;"
    )
    told: list[Any] = []
    for path in ("columnar", "reference"):
        runtime = Runtime(app, path=path)  # type: ignore[arg-type]
        for at in range(40):
            listed = [(f"k{at}-{n}", n) for n in range(100)]
            runtime.send("S", listed, ts=1_600_000_000_000 + at * 10_000)
        kept = runtime.snapshot()
        told.append(runtime.query("from A within 0L, 4000000000000L per 'seconds' select *"))
        assert b"k39-5" in kept
        assert b"k0-5" not in kept
    assert told[0] == told[1]
    assert len(told[0]) == 1_300


SELECTED = [
    *(f"{name}({value})" for name in ("sum", "avg", "min", "max") for value in "vldf"),
    "count()",
    "k",
    "v",
    "d",
]


@st.composite
def aggregations(draw: st.DrawFn) -> str:
    """Draw an aggregation over S."""
    where = draw(st.sampled_from(["", "[v > 0]", "[b]"]))
    chosen = draw(st.lists(st.sampled_from(SELECTED), min_size=1, max_size=4))
    columns = ", ".join(f"{e} as c{at}" for at, e in enumerate(chosen))
    group = draw(st.sampled_from(["", " group by k", " group by k, g", " group by f"]))
    every = draw(st.sampled_from(["sec ... year", "sec, min", "hour ... month"]))
    return f"define aggregation A from S{where} select {columns}{group} aggregate every {every};"


@st.composite
def spread(draw: st.DrawFn) -> list[tuple[str, list[tuple[int, tuple[Any, ...]]]]]:
    """Draw batches of S over hours and years, forth and back."""
    out: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]] = []
    now = 1_600_000_000_000
    for size in draw(st.lists(st.integers(1, 7), min_size=1, max_size=6)):
        batch = []
        for _ in range(size):
            now += draw(st.sampled_from([0, 3, 700, 40_000, -900, 86_400_000 * 20]))
            batch.append((now, draw(rows)))
        out.append(("S", batch))
    return out


def asked(app: str, path: Any, sent: Any, *, cut: int = -1) -> list[Any]:
    """Send batches to an application with an aggregation and give what it then answers."""
    runtime = start(app, path, [])
    for at, one in enumerate(sent):
        if at == cut:
            kept = runtime.snapshot()
            runtime = start(app, path, [])
            runtime.restore(kept)
        send(runtime, [one])
    durations = ("seconds", "minutes", "hours", "days", "months", "years")
    out: list[Any] = []
    for duration in durations:
        text = f"from A within 0L, 4000000000000L per '{duration}' select *"
        try:
            out.append(shown(runtime.query(text)))
        except FlowError as error:
            out.append(str(error))
    return out


@COMMON
@given(aggregations(), spread(), st.integers(0, 5))
def test_an_aggregation_gives_the_same_rows_on_both_paths(
    app: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], cut: int
) -> None:
    app = S + app
    found = asked(app, "columnar", sent)
    assert found == asked(app, "reference", sent)
    assert found == asked(app, "columnar", sent, cut=cut)
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", None)
        assert asked(app, "columnar", sent) == found


@COMMON
@given(queries(), batches(), st.integers(0, 3))
def test_codes_of_words_give_the_same_rows_as_strings(
    query: str, sent: list[list[tuple[int, tuple[Any, ...]]]], shared: int
) -> None:
    words = Words(["c", "b", "a"])
    told: list[list[Any]] = []
    for coded in (False, True):
        told.append([])
        runtime = start(S + query, "columnar", told[-1])
        for at, batch in enumerate(sent):
            listed = list(zip(*(row for _, row in batch), strict=True))
            columns: dict[str, Any] = dict(zip("kgvldfb", listed, strict=True))
            if coded:
                codes = np.array([-1 if k is None else "cba".index(k) for k in listed[0]])
                columns["k"] = Dictionary(codes, ["c", "b", "a"] if at == shared else words)
            runtime.send("S", columns, ts=np.array([ts for ts, _ in batch]))
    assert told[0] == told[1]


@st.composite
def summaries(draw: st.DrawFn) -> str:
    """Draw a batch by time that only sums, over S or over the many chunks a partition fills."""
    source = draw(st.sampled_from(["S", "S[v > 0]", "P"]))
    span = draw(st.sampled_from(["5", "20", "20, 7", "100"]))
    sums = st.sampled_from(["sum(v)", "sum(d)", "avg(l)", "avg(f)", "count()"])
    columns = [*draw(st.lists(sums, max_size=3)), "k", "v + 1", "eventTimestamp()"]
    listed = ", ".join(f"{column} as c{at}" for at, column in enumerate(columns))
    group = draw(st.sampled_from(["", " group by k", " group by g, k", " group by d"]))
    if not group and not columns[:-3]:
        group = " group by k"
    order = draw(st.sampled_from(["", "", " order by c0 limit 2", " limit 1 offset 1"]))
    return (
        "partition with (k of S) begin from S select * insert into P; end; @info(name = 'q') "
        f"from {source}#window.timeBatch({span}) select {listed}{group}{order} insert into Out;"
    )


@COMMON
@given(summaries(), batches(), st.integers(0, 6))
def test_a_batch_is_the_same_whether_its_rows_are_held_or_summed_as_they_come(
    query: str, sent: list[list[tuple[int, tuple[Any, ...]]]], cut: int
) -> None:
    timed = [("S", batch) for batch in sent]
    wanted = play(S + query, "reference", timed)
    assert play(S + query, "columnar", timed) == wanted
    assert play(S + query, "columnar", timed, cut=cut) == wanted


@COMMON
@given(queries(), batches())
def test_a_query_reads_what_a_partition_fills(
    query: str, sent: list[list[tuple[int, tuple[Any, ...]]]]
) -> None:
    app = (
        "partition with (k of S) begin from S[v > -3] select k, g, v, l, d, f, b insert into P; "
        f"end; {query.replace('from S', 'from P').replace('of S', 'of P')}"
    )
    fill = "define stream P (k string, g int, v int, l long, d double, f float, b bool); "
    timed = [("S", batch) for batch in sent]
    assert play(S + fill + app, "columnar", timed) == play(S + fill + app, "reference", timed)


@COMMON
@given(st.one_of(queries(), patterns(), absences(), joins()), mixed(), st.integers(0, 6))
def test_without_compiled_kernels_the_rows_are_the_same_and_snapshots_go_over(
    query: str, sent: list[tuple[str, list[tuple[int, tuple[Any, ...]]]]], cut: int
) -> None:
    app = S + T + query
    told = play(app, "columnar", sent)
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", None)
        assert play(app, "columnar", sent) == told
        first: list[Any] = []
        runtime = start(app, "columnar", first)
        send(runtime, sent[:cut])
        kept = runtime.snapshot()
    runtime = start(app, "columnar", first)
    runtime.restore(kept)
    send(runtime, sent[cut:])
    assert first == told


def test_this_machine_has_compiled_kernels() -> None:
    assert compiled()


def test_explain_tells_the_path_of_each_query_and_why() -> None:
    runtime = Runtime(
        S
        + "@info(name = 'a') from S[v > 0] select k insert into A;"
        + "@info(name = 'b') from S#window.sort(2, v) select k insert into B;"
        + "@info(name = 'd') from S#window.length(2) select sum(v) as s insert into D;"
        + "@info(name = 'c') from e1=S -> e2=S select e1.k insert into C;"
    )

    assert runtime.explain() == [
        ("a", "columnar", "it keeps no state"),
        ("b", "reference", "window sort has no columnar form"),
        ("d", "columnar", "compiled kernels keep its state"),
        ("c", "reference", "it is no pattern `every A -> B`"),
    ]


def test_a_snapshot_is_refused_where_the_state_is_kept_otherwise() -> None:
    app = S + "from S#window.length(2) select sum(v) as s insert into A;"
    kept = Runtime(app, path="columnar").snapshot()

    with pytest.raises(StateInvalid, match="columns"):
        Runtime(app, path="reference").restore(kept)


def test_columns_go_in_and_come_out_without_rows() -> None:
    runtime = Runtime(S + "from S[v > 1] select k, v, d * 2.0 as e insert into Out;")
    got: list[Any] = []
    runtime.subscribe_columns("Out", got.append)
    nothing = np.zeros(4)

    runtime.send(
        "S",
        {
            "k": Dictionary(np.array([0, 1, -1, 1]), ["a", "b"]),
            "g": np.arange(4),
            "v": np.array([1, 2, 3, 4], np.int32),
            "l": np.arange(4),
            "d": np.ma.MaskedArray([0.5, 1.5, 2.5, 3.5], [False, False, False, True]),
            "f": nothing.astype(np.float32),
            "b": nothing.astype(bool),
        },
        ts=np.arange(4) + 1_000,
    )

    assert dict(got[0]) == {"k": ["b", None, "b"], "v": [2, 3, 4], "e": [3.0, 5.0, None]}
    assert got[0].array("v").tolist() == [2, 3, 4]
    assert got[0].array("e").mask.tolist() == [False, False, True]
    assert got[0].rows == 3


@pytest.mark.parametrize("path", ["reference", "columnar", "plain"])
def test_what_is_no_number_leaves_a_window_as_it_came(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a snapshot, when it is another object."""
    if path == "plain":
        monkeypatch.setattr(kernels.library, "opened", None)
    app = S + "from S#window.length(2) select max(d) as most, min(d) as least insert into O;"
    told: list[tuple[Any, ...]] = []
    state = None
    for value in (float("nan"), 1.0, 2.0, float("nan"), 3.0, 4.0):
        runtime = Runtime(app, path="reference" if path == "reference" else "columnar")
        runtime.subscribe("O", lambda _ts, rows, _gone: told.extend(rows))
        if state is not None:
            runtime.restore(state)
        runtime.send("S", [("k", 1, 1, 1, value, 1.0, True)])
        state = runtime.snapshot()

    assert str(told) == ("[(nan, nan), (nan, nan), (2.0, 1.0), (2.0, 2.0), (nan, nan), (4.0, 3.0)]")


def test_a_column_that_does_not_fit_is_refused() -> None:
    runtime = Runtime(
        "define stream A (k string, v int); from A#window.length(1) select v insert into B;"
    )
    for columns in (
        {"k": ["a"], "v": ["x"]},
        {"k": [1], "v": [1]},
        {"k": ["a"]},
        {"k": ["a", "b"], "v": [1]},
        {"k": Dictionary(np.array([0]), ["a"]), "v": Dictionary(np.array([0]), ["a"])},
        {"k": Dictionary(np.array([1]), ["a"]), "v": [1]},
        {"k": Dictionary(np.array([1]), Words(["a"])), "v": [1]},
        {"k": Dictionary(np.array([0]), [1]), "v": [1]},  # type: ignore[list-item]
        {"k": ["a"], "v": np.array([0, 1])},
        {"k": Dictionary(np.array([-2]), ["a"]), "v": [1]},
    ):
        with pytest.raises(EventInvalid):
            runtime.send("A", columns)
    with pytest.raises(EventInvalid):
        runtime.send("A", [("a", 1, 2)])


def test_importing_the_engine_does_not_load_numpy() -> None:
    script = "import sys, moorage_flow; print('numpy' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert told.stdout.strip() == "False", moorage_flow.__file__
