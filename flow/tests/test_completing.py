"""Patterns whose only stream is taken as it is sent give the rows of both other ways, whatever
comes between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_columnar import COMMON
from test_direct import in_every_way, plain
from test_one_call import NAMES, WORDS, Sent, play, start

from moorage_flow import EventInvalid, Runtime
from moorage_flow.columnar import Dictionary, Words
from moorage_flow.columnar.completing import Completing

FIRSTS = ["", "[g > 0]", "[b == true]", "[d <= 0.5 and l < 6]", "[f > 0f]", "[g < 1.5]"]
BETWEEN = [
    *("g > 0", "b == false", "l != 2", "e1.g > -1"),
    *("d > e1.d", "e1.d >= d", "d == e1.d", "f < e1.f", "l >= e1.l", "e1.g < l", "g == e1.g"),
]
CHOSEN = [
    "e1.k as k, e1.d as x, e2.d as y",
    "e1.b as b, e2.b as c, e2.k as k, e1.l as l, e2.g as g",
    "e2.f as f",
    "e1.f as f, e1.g as g, e1.l as l, e1.d as d",
]
MANY = Words([f"key-{n}" for n in range(40)])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Draw `every A -> B` over one stream, keyed by a partition, by what is equal, or not."""
    key = draw(st.sampled_from(["", "equal", "k", "k", "k"]))
    conditions = draw(st.lists(st.sampled_from(BETWEEN), max_size=3, unique=True))
    if key == "equal":
        conditions.append("k == e1.k")
    where = f"[{' and '.join(conditions)}]" if conditions else ""
    within = draw(st.sampled_from(["", " within 9 millisec", " within 60 millisec"]))
    query = (
        f"from every e1=S{draw(st.sampled_from(FIRSTS))} -> e2=S{where}{within} "
        f"select {draw(st.sampled_from(CHOSEN))} insert into Out;"
    )
    return f"partition with (k of S) begin {query} end;" if key == "k" else query


@st.composite
def events(draw: st.DrawFn) -> Sent:
    """Draw batches of plain columns; keys come and go, and in some draws time goes back a little.
    Now and then one is not plain.
    """
    out: Sent = []
    now, least = 1_000, draw(st.sampled_from([0, 0, 0, -2]))
    words = draw(st.sampled_from([MANY, WORDS[0]]))
    for _ in range(draw(st.integers(1, 8))):
        count = draw(st.sampled_from([1, 2, 7, 30, 250]))
        seed = np.random.default_rng(draw(st.integers(0, 10_000)))
        odd = draw(st.sampled_from([""] * 9 + ["null", "other words", "missing", "list"]))
        of = WORDS[1] if odd == "other words" else words
        first = int(seed.integers(0, len(of)))
        reals = np.round(seed.uniform(-1, 2, count), 1)
        longs: Any = seed.integers(-5, 9, count)
        columns: dict[str, Any] = {
            "k": Dictionary(seed.integers(-1 if odd == "missing" else first, len(of), count), of),
            "g": seed.integers(-2, 3, count),
            "l": longs.tolist() if odd == "list" else longs,
            "d": np.ma.MaskedArray(reals, reals > 1.5) if odd == "null" else reals,
            "f": np.round(seed.uniform(-1, 2, count), 1).astype(np.float32).astype(np.float64),
            "b": seed.integers(0, 2, count).astype(np.bool_),
        }
        times = now + np.cumsum(seed.integers(least, 2, count))
        now = max(now, int(times.max()))
        out.append(("S", columns, times))
    return out


@pytest.mark.search
@COMMON
@given(patterns(), events(), st.integers(0, 7))
def test_patterns_give_the_same_rows_in_one_call(app: str, sent: Sent, cut: int) -> None:
    in_every_way(app, sent, cut)


KEYED = (
    "partition with (k of S) begin from every e1=S[g > 0] -> e2=S[g < 0 and d > e1.d] "
    "within {} millisec select e1.k as k, e1.d as x, e2.d as y, e1.b as b insert into Out; end;"
)
EQUAL = (
    "from every e1=S[g > 0] -> e2=S[g < 0 and k == e1.k] within {} millisec "
    "select e1.k as k, e1.d as x, e2.d as y, e2.b as b insert into Out;"
)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note which batches are taken in one call."""
    found: list[bool] = []
    take = Completing.take
    monkeypatch.setattr(
        Completing, "take", lambda self, *given: (found.append(take(self, *given)), found[-1])[1]
    )
    return found


def some(seed: int, count: int, first: int, **others: Any) -> dict[str, Any]:
    """Give columns of random events, of three keys or fewer."""
    rng = np.random.default_rng(seed)
    return plain(
        count,
        k=Dictionary(rng.integers(first, 3, count), WORDS[0]),
        g=rng.integers(-2, 3, count),
        d=np.round(rng.uniform(0, 1, count), 2),
        b=rng.integers(0, 2, count).astype(np.bool_),
        **others,
    )


@pytest.mark.parametrize(("app", "back"), [(KEYED, True), (EQUAL, False)])
def test_what_a_pattern_is_sent_is_taken_in_one_call(
    app: str, back: bool, taken: list[bool]
) -> None:
    times = [1_000 + 50 * at + np.arange(40) for at in range(18)]
    sent: Sent = [("S", some(at, 40, at % 3), times[at]) for at in range(18)]
    reals = sent[2][1]["d"]
    sent[2][1]["d"] = np.ma.MaskedArray(reals, reals > 0.9)
    sent[9][1]["k"].codes[7] = 3  # A new word.
    sent[11] = ("S", sent[11][1], times[11][::-1].copy())
    app = app.format(90)
    told = play(app, "columnar", sent)
    # The first sets the clock; what was given up is not taken over before as much has come.
    assert taken[:3] == [False, True, False]
    assert taken[8:12] == [True, False, True, back]
    assert taken[-1]
    assert len(told) > 50 and told == play(app, "reference", sent)
    for cut in (3, 9, 12):
        assert told == play(app, "columnar", sent, cut)


@pytest.mark.parametrize("keys", [1, 3, 40])
@pytest.mark.parametrize("within", [30, 3_000])
@pytest.mark.parametrize("app", [KEYED, EQUAL])
def test_many_that_wait_are_completed_in_one_call(
    app: str, within: int, keys: int, taken: list[bool]
) -> None:
    rng = np.random.default_rng(keys)
    sent: Sent = []
    for turn in range(12):
        # At first nearly all wait, far more than find room at once; then nearly all complete some.
        g = rng.choice([1, 0, -1], 400, p=[0.8, 0.18, 0.02] if turn < 7 else [0.1, 0.1, 0.8])
        k = Dictionary(rng.integers(turn % 2 and keys // 2, keys, 400), MANY)
        times = 1_000 + 40 * turn + np.sort(rng.integers(0, 40, 400))
        d = np.round(rng.beta(1, 9, 400) if turn < 6 else rng.uniform(0, 1, 400), 3)
        sent.append(("S", plain(400, k=k, g=g, d=d, b=d > 0.5), times))
    app = app.format(within)
    told = play(app, "columnar", sent)
    assert sum(taken) >= 10
    assert len(told) > 200 and told == play(app, "reference", sent)
    for cut in (4, 8):
        assert told == play(app, "columnar", sent, cut)


@pytest.mark.parametrize(
    ("app", "whole"),
    [
        ("from every e1=S -> e2=S[d > e1.d and l >= e1.l and e1.f <= f] select e1.d as d", True),
        ("from every e1=S[b == true] -> e2=S select e1.l as l, e2.b as b, e1.b as c", True),
        ("from every e1=S -> e2=S[k == e1.k] select e2.k as k", True),
        ("from every e1=S -> e2=S[g == e1.g] select e2.k as k", False),
        ("from every e1=S -> e2=T[k == e1.k] select e2.k as k", False),
        ("from every e1=S -> e2=S[k == e1.k] select count() as n", False),
        ("from every e1=S -> e2=S[k == e1.k] select e1.d + e2.d as d", False),
        ("from every e1=S -> e2=S[k == e1.k] select e1.d as d having d > 1.0", False),
    ],
)
def test_these_patterns_are_taken_in_one_call(app: str, whole: bool, taken: list[bool]) -> None:
    sent: Sent = [("S", some(at, 9, 0), 1_000 + 10 * at + np.arange(9)) for at in range(5)]
    app = f"{app} insert into Out;"
    told = play(app, "columnar", sent)
    assert taken[-1:] == ([True] if whole else [False] if taken else [])
    assert told == play(app, "reference", sent)


def test_rows_of_pairs_come_by_the_event_that_completed_them() -> None:
    runtime = Runtime(
        "@app:playback define stream S (k string, g int, d double); "
        "@info(name = 'q') from every e1=S[g > 0] -> e2=S[g < 0 and k == e1.k] "
        "select e1.d as x, e2.d as y insert into Out; "
        "from Out#window.length(3) select sum(x) as s insert into Sums;"
    )
    rows: list[Any] = []
    columns: list[Any] = []
    runtime.subscribe("Out", lambda ts, came, _left: rows.append((ts, came)))
    runtime.subscribe_columns("q", columns.append)
    for turn in range(3):
        given = {
            "k": Dictionary(np.array([0, 1, 0, 0, 1]), WORDS[0]),
            "g": np.array([1, 1, 1, -1, -1]),
            "d": np.arange(5.0),
        }
        runtime.send("S", given, ts=np.arange(5) + 10 * turn)
        given["d"][:] = 9.0
    assert rows == [
        row
        for turn in range(3)
        for row in [
            (10 * turn + 3, [(0.0, 3.0), (2.0, 3.0)]),
            (10 * turn + 4, [(1.0, 4.0)]),
        ]
    ]
    assert [held.times for held in columns] == [
        [10 * turn + 3, 10 * turn + 3, 10 * turn + 4] for turn in range(3)
    ]
    assert [held["x"] for held in columns] == [[0.0, 2.0, 1.0]] * 3


def test_a_code_of_no_word_is_refused_where_a_pattern_waits(taken: list[bool]) -> None:
    told: list[Any] = []
    runtime = start(EQUAL.format(50), "columnar", told)
    for turn in range(2):
        runtime.send("S", some(turn, 9, 0), ts=np.full(9, 1_000 + turn))
    now = runtime.flow.clock.now
    bad = some(3, 9, 0, l=np.arange(8))
    for columns in (bad, plain(9, k=Dictionary(np.full(9, len(NAMES)), WORDS[0]))):
        with pytest.raises(EventInvalid):
            runtime.send("S", columns, ts=np.full(9, 1_070))
    assert runtime.flow.clock.now == now and taken == [False, True, False, False]
