"""Batches of plain columns that kernels take whole: the rows are those of both other ways, whatever
comes between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_columnar import COMMON

from moorage_flow import Runtime
from moorage_flow.columnar import Dictionary, Words, kernels, meeting, pending, rings, windows
from moorage_flow.columnar.kernels import matching, packed, single
from moorage_flow.columns import Columns

STREAMS = "".join(
    f"define stream {name} (k string, g int, l long, d double, f float, b bool); "
    for name in ("S", "T")
)
NAMES = ["a", "b", "c", "d"]
WORDS = [Words(NAMES), Words(NAMES[::-1]), NAMES]
"""Dictionaries that batches share, and one that each has for itself."""
ENTERS = ["", "[g > 0]", "[d <= 0.5]", "[g > -2 and d < 2]", "[b == true]", "[g < 1.5]", "[f > 0f]"]
BETWEEN = [
    "k == e1.k",
    "g == e1.g",
    "d > e1.d",
    "e1.f <= d",
    "l != 2",
    "b == false",
    "e1.g > 0",
    "l >= e1.g",
    "1 < g",
]
"""What must hold between an A and its B, or of one of them; some of it no kernel takes."""


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Draw `every A -> B`, of one stream or two, in a partition or not."""
    second = draw(st.sampled_from(["S", "S", "T"]))
    conditions = draw(st.lists(st.sampled_from(BETWEEN), max_size=3))
    where = f"[{' and '.join(conditions)}]" if conditions else ""
    within = draw(st.sampled_from(["", " within 4 millisec", " within 30 millisec"]))
    enters = draw(st.sampled_from(ENTERS))
    chosen = draw(st.sampled_from(["e1.k as k, e1.d as x, e2.d as y, e2.b as b", "e1.b as b"]))
    query = (
        f"from every e1=S{enters} -> e2={second}{where}{within} select {chosen} insert into Out;"
    )
    return _parted(draw, query, second)


@st.composite
def joins(draw: st.DrawFn) -> str:
    """Draw a join of two sliding windows, of one stream or two, in a partition or not."""
    sliding = ["#window.length(3)", "#window.time(9)", "#window.timeLength(9, 2)", ""]
    sides = [draw(st.sampled_from([*sliding, "#window.externalTime(l, 3)"])) for _ in range(2)]
    second = draw(st.sampled_from(["S", "T", "T"]))
    on = draw(
        st.sampled_from(["", " on a.k == c.k", " on a.g == c.l", " on a.k == c.k and a.d < c.d"])
    )
    alone = draw(st.sampled_from(["", "", " unidirectional"]))
    kind = draw(st.sampled_from(["join", "join", "left outer join"]))
    query = (
        f"from S{sides[0]} as a{alone} {kind} {second}{sides[1]} as c{on} "
        "select a.k as k, a.d as x, c.d as y, c.b as b insert into Out;"
    )
    return _parted(draw, query, second)


@st.composite
def joins_by_key(draw: st.DrawFn) -> str:
    """Draw a join of windows by number of rows, by the key of their partition."""
    sides = [
        draw(st.sampled_from(["", "", "[d > 0]"]))
        + draw(st.sampled_from([f"#window.length({n})" for n in (1, 2, 3, 7)] + [""]))
        for _ in range(2)
    ]
    key = draw(st.sampled_from(["k", "k", "g"]))
    on = draw(st.sampled_from(["", f" on a.{key} == c.{key}", f" on c.{key} == a.{key}"]))
    alone = draw(st.sampled_from(["", "", " unidirectional"]))
    chosen = draw(
        st.sampled_from(
            ["a.k as k, a.d as x, c.d as y", "c.k as k, c.b as b, a.f as f", "a.d + c.d as x"]
        )
    )
    joined = f"from S{sides[0]} as a{alone} join T{sides[1]} as c{on} select {chosen} insert into "
    into = draw(st.sampled_from(["Out; ", "Out; ", "#In; from #In select * insert into Out; "]))
    return f"partition with ({key} of S, {key} of T) begin {joined}{into}end;"


def _parted(draw: st.DrawFn, query: str, second: str) -> str:
    key = draw(st.sampled_from(["", "k", "g"]))
    if not key:
        return query
    keys = f"{key} of S" if second == "S" else f"{key} of S, {key} of T"
    return f"partition with ({keys}) begin {query} end;"


Sent = list[tuple[str, dict[str, Any], list[int]]]


@st.composite
def batches(draw: st.DrawFn) -> Sent:
    """Draw batches of columns; words are missing now and then, and other columns have nulls."""
    out: Sent = []
    now = 1_000
    for _ in range(draw(st.integers(1, 7))):
        count = draw(st.integers(1, 12))
        seed = np.random.default_rng(draw(st.integers(0, 10_000)))
        steps = seed.integers(-1, 4, count)
        codes = seed.integers(-1 if draw(st.integers(0, 4)) == 0 else 0, len(NAMES), count)
        reals = np.round(seed.uniform(-1, 2, count), 1)
        columns: dict[str, Any] = {
            "k": Dictionary(codes, draw(st.sampled_from(WORDS))),
            "g": seed.integers(-2, 3, count),
            "l": np.arange(now, now + count) - 1_000 + seed.integers(0, 2, count),
            "d": np.ma.MaskedArray(reals, reals > 1.8) if draw(st.booleans()) else reals,
            "f": np.round(seed.uniform(-1, 2, count), 1).astype(np.float32),
            "b": seed.integers(0, 2, count).astype(np.bool_),
        }
        times = (now + np.cumsum(steps)).tolist()
        now = max(now, *times)
        out.append((draw(st.sampled_from(["S", "T"])), columns, times))
    return out


def start(app: str, path: Any, told: list[Any]) -> Runtime:
    """Begin an application that tells columns only."""

    def tell(columns: Columns) -> None:
        lists = [columns[name] for name in columns]
        told.extend((ts, *map(repr, row)) for ts, *row in zip(columns.times, *lists, strict=True))

    runtime = Runtime("@app:playback " + STREAMS + app, path=path)
    runtime.subscribe_columns("Out", tell)
    return runtime


def play(app: str, path: Any, sent: Sent, cut: int = -1) -> list[Any]:
    """Send batches and give all rows with their times; at `cut` from a snapshot on."""
    told: list[Any] = []
    runtime = start(app, path, told)
    for at, (stream, columns, times) in enumerate(sent):
        if at == cut:
            kept = runtime.snapshot()
            runtime = start(app, path, told)
            runtime.restore(kept)
        runtime.send(stream, columns, ts=times)
    return told


@contextmanager
def kernels_for_every_processor() -> Iterator[None]:
    """Open the library that knows nothing of this machine's processor."""
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", kernels.library.load("kernels.so"))
        here.setattr(single, "_kernels", {})
        single.prepare(Dictionary(np.zeros(1, np.int64), WORDS[0]), WORDS[0])
        yield


@pytest.mark.search
@COMMON
@given(
    st.one_of(patterns(), joins(), joins_by_key()),
    batches(),
    st.integers(0, 6),
    st.sampled_from([0, 1 << 13]),
)
def test_plain_columns_give_the_same_rows_in_one_call(
    app: str, sent: Sent, cut: int, least: int
) -> None:
    with pytest.MonkeyPatch.context() as few:
        for module in (windows, pending):
            few.setattr(module, "LEAST", least)
        told = play(app, "columnar", sent, cut)
        assert told == play(app, "columnar", sent)
    assert told == play(app, "reference", sent)
    with kernels_for_every_processor():
        assert told == play(app, "columnar", sent, cut)
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", None)
        assert told == play(app, "columnar", sent, cut)


@pytest.mark.parametrize(
    ("app", "owner", "called"),
    [
        ("from every e1=S[g > 0] -> e2=S[k == e1.k and d > e1.d] select e1.k as k, e2.d as y "
         "insert into Out;", matching.Block, "run"),
        ("partition with (k of S) begin from every e1=S[b == true] -> e2=S[d > e1.d] within 1 sec "
         "select e1.k as k, e2.d as y insert into Out; end;", matching.Block, "run"),
        ("from S#window.length(5) as a join T#window.time(1 sec) as c on a.k == c.k "
         "select a.k as k, a.d as x, c.d as y insert into Out;", packed, "pairs"),
    ],
)  # fmt: skip
def test_what_is_plain_is_taken_in_one_call(
    app: str, owner: Any, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    kernel = getattr(owner, called)
    monkeypatch.setattr(owner, called, lambda *given: (calls.append(called), kernel(*given))[1])
    told: list[Any] = []
    runtime = start(app, "columnar", told)
    for turn in range(3):
        for stream in ("S", "T"):
            columns = {
                "k": Dictionary(np.array([0, 1, 0, 1]), WORDS[0]),
                "g": np.array([1, 1, 1, 1]),
                "l": np.arange(4),
                "d": np.array([1.0, 2.0, 3.0, 4.0]) + turn,
                "f": np.zeros(4),
                "b": np.array([True, True, False, True]),
            }
            runtime.send(stream, columns, ts=[turn] * 4)
    assert calls and told


@pytest.mark.parametrize("names", [1, 3, 60])
@pytest.mark.parametrize(
    "app",
    [
        "partition with (k of S) begin from every e1=S[g > 0] -> e2=S[b == false and d > e1.d] "
        "within 90 millisec select e1.k as k, e1.d as x, e2.d as y insert into Out; end;",
        "partition with (k of S, k of T) begin from every e1=S[d < 0.9] -> e2=T[e1.b == true and "
        "d >= e1.d and g > e1.g] within 300 millisec select e1.k as k, e1.b as b, e2.d + e1.d as x "
        "insert into Out; end;",
        "from every e1=S[g > 0] -> e2=S[k == e1.k and g < 0] within 90 millisec "
        "select e1.k as k, count() as n group by e1.k insert into Out;",
        "from every e1=S -> e2=S[d > e1.d and g == 2] select e1.d as x, e2.b as b insert into Out;",
    ],
)
def test_many_that_wait_give_the_same_rows_on_both_paths(app: str, names: int) -> None:
    rng = np.random.default_rng(names)
    words = Words([f"key-{n}" for n in range(names)])
    sent: Sent = []
    now = 1_000
    for turn in range(14):
        count = 300
        # Now and then time goes back, and what waits moves to the way in steps.
        steps = rng.integers(-2 if turn in {4, 9} else 0, 3, count)
        times = now + np.cumsum(steps)
        now = int(times[-1])
        columns = {
            "k": Dictionary(rng.integers(0, names, count), words),
            "g": rng.integers(-2, 3, count),
            "l": np.arange(count),
            "d": np.round(rng.uniform(0, 1, count), 2),
            "f": np.zeros(count),
            "b": rng.integers(0, 2, count).astype(np.bool_),
        }
        sent.append((("S", "T")[turn % 3 == 2], columns, times.tolist()))
    told = play(app, "columnar", sent)
    assert len(told) > 100
    assert told == play(app, "reference", sent)
    for cut in (3, 5, 10):
        assert told == play(app, "columnar", sent, cut)


@pytest.mark.parametrize("names", [1, 3, 60])
@pytest.mark.parametrize(
    ("app", "least"),
    [
        ("partition with (k of S, k of T) begin from S#window.length(5) as a join "
         "T#window.length(20) as c on a.k == c.k select a.k as k, c.k as l, a.d as x, c.b as b "
         "insert into Out; end;", 9),
        ("partition with (k of S, k of T) begin from S[g > -2]#window.length(3) as a join "
         "T#window.length(2) as c select a.k as k, a.g as x, c.d as y insert into Out; end;", 12),
        ("partition with (g of T, g of S) begin from S as a join T#window.length(9) as c "
         "on a.g == c.g select a.k as k, c.k as l, c.d + a.d as x insert into Out; end;", 5),
    ],
)  # fmt: skip
def test_a_join_by_key_goes_on_in_pieces_whatever_comes_between(
    app: str, least: int, names: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(names)
    listed = [f"key-{n}" for n in range(names)]
    words, others = Words(listed), Words([*listed[::-1], "new"])
    sent: Sent = []
    for turn in range(18):
        count = 120
        reals = np.round(rng.uniform(0, 1, count), 2)
        columns: dict[str, Any] = {
            "k": Dictionary(rng.integers(0, names + (turn == 5), count), words),
            "g": rng.integers(-2, 3, count),
            "l": np.arange(count),
            "d": reals,
            "f": np.zeros(count),
            "b": rng.integers(0, 2, count).astype(np.bool_),
        }
        # Some batches have another dictionary with a word that is new, nulls, or strings.
        if turn in {5, 6}:
            columns["k"] = Dictionary(columns["k"].codes, others)
        if turn == 9:
            columns["d"] = np.ma.MaskedArray(reals, reals > 0.9)
        if turn == 12:
            columns["k"] = columns["k"].tolist()
        sent.append(
            (
                ("S", "T")[turn % 3 == 2],
                columns,
                (1_000 + 9 * turn + rng.integers(0, 9, count)).tolist(),
            )
        )
    taken: list[Any] = []
    take = meeting.Meeting.take
    monkeypatch.setattr(
        meeting.Meeting, "take", lambda *given: (taken.append(made := take(*given)), made)[1]
    )
    told = play(app, "columnar", sent)
    assert len(told) > 100
    assert sum(pairs is not None for pairs in taken) >= least
    if names < 60 and "c.k" not in app:  # Nulls have left the windows, and strings too.
        assert any(pairs is None for pairs in taken) and taken[-1] is not None
    assert told == play(app, "reference", sent)
    for cut in (3, 6, 10, 13):
        assert told == play(app, "columnar", sent, cut)
    monkeypatch.setattr(rings, "SPARE", 10)
    monkeypatch.setattr(rings, "WASTE", 1)
    assert told == play(app, "columnar", sent, 6)
    monkeypatch.setattr(kernels.library, "opened", None)
    assert told == play(app, "columnar", sent, 6)


def test_pairs_that_were_told_stay_as_they_are() -> None:
    app = (
        "partition with (k of S, k of T) begin from S#window.length(2) as a join "
        "T#window.length(2) as c select a.k as k, a.d as x, c.d as y, c.b as b "
        "insert into Out; end;"
    )
    kept: list[Columns] = []
    runtime = Runtime("@app:playback " + STREAMS + app)
    runtime.subscribe_columns("Out", kept.append)
    for turn in range(4):
        columns = {
            "k": Dictionary(np.array([0, 1, 1]), WORDS[0]),
            "g": np.zeros(3, np.int64),
            "l": np.zeros(3, np.int64),
            "d": np.array([1.0, 2.0, 3.0]) + 10 * turn,
            "f": np.zeros(3),
            "b": np.array([True, False, turn == 1]),
        }
        times = np.array([0, 1, 2]) + 10 * turn
        runtime.send("ST"[turn % 2], columns, ts=times)
        columns["d"][:] = times[:] = -1
        columns["k"].codes[:] = 2
        columns["b"][:] = True
    assert [held.rows for held in kept] == [5, 5, 6]
    assert kept[0]["k"] == ["a", "b", "b", "b", "b"]
    assert kept[0]["x"] == [1.0, 2.0, 3.0, 2.0, 3.0]
    assert kept[0]["y"] == [11.0, 12.0, 12.0, 13.0, 13.0]
    assert kept[1]["b"] == [True, False, True, False, True]
    assert kept[0].times == [10, 12, 12, 12, 12]


def test_a_join_of_many_keys_gives_the_same_rows_with_and_without_kernels() -> None:
    rng = np.random.default_rng(1)
    words = Words([f"key-{n}" for n in range(3_000)])
    app = (
        "from S#window.length(40000) as a join T#window.length(9) as c on a.k == c.k "
        "select a.k as k, a.d as x, c.d as y, a.b as b insert into Out;"
    )
    sent: Sent = []
    for stream, count in (("S", 40_000), ("T", 1_001), ("S", 9), ("T", 7)):
        columns = {
            "k": Dictionary(rng.integers(0, len(words), count), words),
            "g": np.zeros(count, np.int64),
            "l": np.arange(count),
            "d": rng.uniform(0, 1, count),
            "f": np.zeros(count),
            "b": rng.integers(0, 2, count).astype(np.bool_),
        }
        sent.append((stream, columns, [1_000] * count))
    told = play(app, "columnar", sent)
    assert len(told) > 10_000
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", None)
        assert told == play(app, "columnar", sent)
