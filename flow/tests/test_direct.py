"""What one query takes as it is sent gives the rows of both other ways, whatever comes between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_columnar import COMMON
from test_one_call import NAMES, WORDS, Sent, kernels_for_every_processor, play, start

from moorage_flow import EventInvalid, Runtime
from moorage_flow.columnar import Dictionary, Words, kernels
from moorage_flow.columnar.direct import Collecting, Sifting
from moorage_flow.columnar.gliding import Gliding
from moorage_flow.columnar.kernels import single

VALUES = [
    *("g", "l", "d", "f", "g + 3", "l * 2", "l % 3", "g / 2", "l / -4L", "d * 2.0", "f + g"),
    *("d - f", "g * 1.5f", "f / 3.0f", "d / 7.0", "g * 2147483647", "l + 9223372036854775807L"),
]
CONDITIONS = [
    *("g > 0", "d <= 0.5", "b == true", "b", "f > 0f", "f == g", "g < d", "l >= g", "k == 'b'"),
    *("k != 'b'", "'c' == k", "3 > l", "d != f", "g * 2 + 1 < l % 3", "0.3 < d", "b != false"),
    *("l > 1.5f", "g <= -1L", "k == 'none'", "f + g >= d"),
]
"""All of these are steps."""
OTHERS = ["k is null", "l > d", "g / l > 0", "d % 2.0 > 0.0", "k == 'a' and g % g == 0"]
"""These are not."""


@st.composite
def conditions(draw: st.DrawFn, *, steps: bool = False) -> str:
    """Draw what joins a few conditions."""
    one = st.sampled_from(CONDITIONS if steps else [*CONDITIONS, *OTHERS])
    joined = draw(one)
    for _ in range(draw(st.integers(0, 2))):
        joined = draw(
            st.sampled_from([f"({joined}) and {{}}", f"({joined}) or {{}}", f"not ({joined})"])
        ).format(draw(one))
    return joined


@st.composite
def filters(draw: st.DrawFn) -> str:
    """Draw a filter and what is selected."""
    where = "".join(f"[{c}]" for c in draw(st.lists(conditions(), max_size=2)))
    chosen = draw(
        st.lists(st.sampled_from(["k", "b", *VALUES, *CONDITIONS]), min_size=1, max_size=5)
    )
    columns = ", ".join(f"{value} as c{at}" for at, value in enumerate(chosen))
    return f"from S{where} select {columns} insert into Out;"


@st.composite
def arrays(draw: st.DrawFn) -> Sent:
    """Draw batches of plain columns and their times; now and then one is not plain."""
    out: Sent = []
    now = 1_000
    for _ in range(draw(st.integers(1, 6))):
        count = draw(st.sampled_from([1, 2, 5, 12, 300]))
        seed = np.random.default_rng(draw(st.integers(0, 10_000)))
        odd = draw(st.sampled_from([""] * 6 + ["null", "float", "list", "spread", "words"]))
        reals = np.round(seed.uniform(-1, 2, count), 1)
        real: Any = np.where(seed.uniform(0, 1, count) < 0.05, np.nan, reals)
        if odd == "null":
            real = np.ma.MaskedArray(reals, reals > 1.5)
        longs: Any = seed.integers(-5, 9, count)
        floats = np.round(seed.uniform(-1, 2, count), 1)
        codes = seed.integers(-1 if draw(st.booleans()) else 0, len(NAMES), count)
        columns: dict[str, Any] = {
            "k": Dictionary(codes, WORDS[2 if odd == "words" else draw(st.integers(0, 1))]),
            "g": seed.integers(-2, 3, count),
            "l": longs.tolist() if odd == "list" else longs,
            "d": np.repeat(real, 2)[::2] if odd == "spread" else real,
            "f": floats if odd == "float" else floats.astype(np.float32).astype(np.float64),
            "b": seed.integers(0, 2, count).astype(np.bool_),
        }
        times = now + np.cumsum(seed.integers(-1, 4, count))
        now = max(now, int(times.max()))
        out.append(("S", columns, times))
    return out


def in_every_way(app: str, sent: Sent, cut: int) -> None:
    """Expect the same rows directly, from a snapshot on, in steps without kernels and by row."""
    told = play(app, "columnar", sent, cut)
    assert told == play(app, "columnar", sent)
    assert told == play(app, "reference", sent)
    with kernels_for_every_processor():
        assert told == play(app, "columnar", sent, cut)
    with pytest.MonkeyPatch.context() as here:
        here.setattr(kernels.library, "opened", None)
        assert told == play(app, "columnar", sent, cut)


@pytest.mark.search
@COMMON
@given(filters(), arrays(), st.integers(0, 6))
def test_filters_give_the_same_rows_in_one_call(app: str, sent: Sent, cut: int) -> None:
    in_every_way(app, sent, cut)


@st.composite
def sums(draw: st.DrawFn) -> str:
    """Draw sums of batches by time."""
    where = draw(st.sampled_from(["", f"[{draw(conditions())}]"]))
    one = st.sampled_from(["sum(d)", "sum(g)", "count()", "avg(f)", "sum(l)", "avg(g)", "avg(l)"])
    chosen = draw(st.lists(one, min_size=1, max_size=3))
    columns = ", ".join(f"{value} as c{at}" for at, value in enumerate(chosen))
    by = draw(st.sampled_from(["", " group by k", " group by k", " group by b"]))
    shown = draw(st.sampled_from(["", "k, ", "b, l, ", "k, d, "]))
    window = draw(st.sampled_from(["25", "400", "40, 7"]))
    return f"from S{where}#window.timeBatch({window}) select {shown}{columns}{by} insert into Out;"


@pytest.mark.search
@COMMON
@given(sums(), arrays(), st.integers(0, 6))
def test_sums_of_batches_are_the_same_in_one_call(app: str, sent: Sent, cut: int) -> None:
    in_every_way(app, sent, cut)


def test_what_a_batch_by_time_is_sent_is_taken_in_one_call_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[bool] = []
    take = Collecting.take
    monkeypatch.setattr(
        Collecting, "take", lambda self, *given: (taken.append(take(self, *given)), taken[-1])[1]
    )
    told: list[Any] = []
    query = "from S[g > 0]#window.timeBatch(50) select k, sum(d) as s, count() as n group by k "
    runtime = start(f"{query} insert into Out;", "columnar", told)
    for ts in (0, 10, 20, 60, 70):
        runtime.send("S", plain(7), ts=np.full(7, ts))
    assert taken == [False, True, True, False, True]
    assert [row[1:] for row in told] == [
        ("'b'", "7.5", "6"), ("'c'", "10.5", "6"), ("'a'", "13.5", "6")
    ]  # fmt: skip


@st.composite
def windows(draw: st.DrawFn) -> str:
    """Draw sums of windows that slide; some of it no kernel takes."""
    where = draw(st.sampled_from(["", f"[{draw(conditions())}]"]))
    one = st.sampled_from(["sum(d)", "sum(g)", "count()", "avg(f)", "sum(l)", "avg(g)", "avg(d)"])
    other = st.sampled_from(["avg(l)", "max(l)", "sum(d) * 2.0", "sum(d * 2.0)"])
    rare = draw(st.integers(0, 5)) == 0
    chosen = draw(st.lists(one, min_size=1, max_size=3)) + ([draw(other)] if rare else [])
    columns = ", ".join(f"{value} as c{at}" for at, value in enumerate(chosen))
    by = draw(st.sampled_from(["", " group by k", " group by k", " group by k", " group by b"]))
    shown = draw(st.sampled_from(["", "k, ", "b, l, ", "k, d, "]))
    spans = ["time(2)", "time(25)", "time(400)", "length(1)", "length(40)", "timeLength(30, 9)"]
    window = draw(st.sampled_from(spans))
    return f"from S{where}#window.{window} select {shown}{columns}{by} insert into Out;"


@pytest.mark.search
@COMMON
@given(windows(), arrays(), st.integers(0, 6))
def test_sums_of_windows_that_slide_are_the_same_in_one_call(
    app: str, sent: Sent, cut: int
) -> None:
    in_every_way(app, sent, cut)


def glided(monkeypatch: pytest.MonkeyPatch, query: str, sent: Sent) -> tuple[list[bool], list[Any]]:
    """Tell which batches were taken in one call, and give the rows."""
    taken: list[bool] = []
    take = Gliding.take
    told: list[Any] = []
    with monkeypatch.context() as here:
        here.setattr(
            Gliding, "take", lambda self, *given: (taken.append(take(self, *given)), taken[-1])[1]
        )
        runtime = start(f"from S{query} insert into Out;", "columnar", told)
        for stream, columns, times in sent:
            runtime.send(stream, columns, ts=times)
    return taken, told


def test_a_window_that_slides_is_kept_in_one_call_where_its_rows_find_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query = "[g > 0]#window.time(20) select k, avg(d) as a, count() as n, l group by k"
    sent: Sent = [("S", plain(12), np.full(12, 10 * at)) for at in range(60)]
    sent.insert(30, ("S", plain(12, k=Dictionary(np.arange(12) % 4, WORDS[0])), np.full(12, 300)))
    sent.insert(40, ("S", plain(12), np.full(12, 250)))
    sent.insert(50, ("S", plain(12, d=list(range(12))), np.full(12, 470)))
    taken, told = glided(monkeypatch, query, sent)
    # The first make room, as do those that hold more; in between comes a new word, and a list.
    assert [at for at, whole in enumerate(taken) if not whole] == [0, 1, 2, 30, 32, 50]
    assert told == play(f"from S{query} insert into Out;", "reference", sent)


def test_a_row_too_old_stays_behind_one_that_leaves_by_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: Sent = [("S", plain(1), np.array([ts])) for ts in (100, 100, 100, 120, 70, 101, 115)]
    sums = "select sum(l) as s, count() as n"
    for chosen in (sums, f"{sums}, avg(l) as a"):  # In one call, and in steps.
        query = f"#window.timeLength(20, 3) {chosen}"
        told = glided(monkeypatch, query, sent)[1]
        assert told == play(f"from S{query} insert into Out;", "reference", sent)


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        ("#window.time(5) select sum(g) as s", True),
        ("#window.length(3) select k, avg(g) as s, b group by k", True),
        ("#window.timeLength(5, 2) select count() as n, sum(l) as s group by k", True),
        ("#window.time(5) select avg(l) as s", False),
        ("#window.time(5) select k, sum(d) as s group by k having s > 1.0", False),
        ("#window.time(5) select sum(d) + 1.0 as s", False),
        ("#window.time(5) select sum(d) as s group by g", False),
        ("#window.time(5) select min(d) as s", False),
        ("#window.length(0) select sum(d) as s", False),
        ("#window.externalTime(l, 5) select sum(d) as s", False),
        ("#window.time(5) select sum(d) as s, 1 as one", False),
    ],
)
def test_these_windows_are_kept_in_one_call(
    query: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: Sent = [("S", plain(4), 10 * at + np.arange(4)) for at in range(9)]
    taken, told = glided(monkeypatch, query, sent)
    assert taken[-1:] == ([True] if whole else [])
    assert told == play(f"from S{query} insert into Out;", "reference", sent)


def plain(count: int, **others: Any) -> dict[str, Any]:
    """Give columns that kernels take as they are."""
    return {
        "k": Dictionary(np.arange(count) % 3, WORDS[0]),
        "g": np.arange(count),
        "l": np.arange(count),
        "d": np.arange(count) / 2,
        "f": np.zeros(count),
        "b": np.ones(count, np.bool_),
        **others,
    }


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_of_these_is_taken_in_one_call(
    condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    take = Sifting.take
    monkeypatch.setattr(
        Sifting, "take", lambda self, *given: (taken.append(take(self, *given)), taken[-1])[1]
    )
    told: list[Any] = []
    runtime = start(f"from S[{condition}] select k, g + 1 as n insert into Out;", "columnar", told)
    runtime.send("S", plain(400), ts=np.arange(400))
    assert taken == [True]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (plain(3, k=Dictionary(np.array([0, 9, 1]), WORDS[0])), "a code of k is none of its 4"),
        (plain(3, k=Dictionary(np.array([0, -2, 1]), WORDS[0])), "a code of k is none of its 4"),
        (plain(3, d=np.zeros(2)), "the columns differ in length"),
        ({"k": plain(3)["k"]}, "S needs a column g"),
        (plain(3, d=np.array(["a", "b", "c"])), "d is a double"),
    ],
)
def test_what_does_not_fit_is_refused_and_moves_no_clock(columns: Any, why: str) -> None:
    told: list[Any] = []
    runtime = start("from S[g >= 0] select k insert into Out;", "columnar", told)
    with pytest.raises(EventInvalid, match=why):
        runtime.send("S", columns, ts=np.array([70, 80, 90]))
    assert runtime.flow.clock.now < 70
    runtime.send("S", plain(1), ts=np.array([60]))
    assert told == [(60, "'a'")]
    assert runtime.stats()["streams"]["S"] == 1


def test_rows_that_were_told_stay_as_they_are() -> None:
    kept: list[Any] = []
    runtime = start("from S[g > 1] select k, d, b insert into Out;", "columnar", [])
    runtime.subscribe_columns("Out", kept.append)
    for turn in range(3):
        columns = plain(8)
        runtime.send("S", columns, ts=np.full(8, turn))
        columns["d"][:] = -1.0
    assert [held["d"] for held in kept] == [[1.0, 1.5, 2.0, 2.5, 3.0, 3.5]] * 3
    assert [held.times for held in kept] == [[turn] * 6 for turn in range(3)]
    assert list(kept[0]) == ["k", "d", "b"] and kept[0].array("b").all()


def test_only_what_nobody_has_kept_is_written_over() -> None:
    kept: list[Any] = []
    runtime = start("from S[g >= 0] select d, b, l insert into Out;", "columnar", [])
    for taken in (0, 1, 2, 0, 1):

        def keep(columns: Any, taken: int = taken) -> None:
            if taken:
                kept.append(columns.array("d")[1:] if taken == 1 else columns)

        end = runtime.subscribe_columns("Out", keep)
        runtime.send("S", plain(400, d=np.full(400, float(len(kept)))), ts=np.arange(400))
        end()
    runtime.send("S", plain(400, d=np.full(400, -1.0)), ts=np.arange(400))
    assert [set(np.asarray(held).tolist()) for held in (kept[0], kept[2])] == [{0.0}, {2.0}]
    assert set(kept[1]["d"]) == {1.0} and kept[1]["l"] == list(range(400))


def test_a_listener_may_send_to_the_stream_it_hears_of() -> None:
    told: list[Any] = []
    runtime = start("from S[d > 0.0] select d insert into Out;", "columnar", [])

    def again(columns: Any) -> None:
        if columns["d"][0] < 3.0:
            runtime.send("S", plain(9, d=np.full(9, columns["d"][0] + 1.0)), ts=np.full(9, 5))
        told.append(columns["d"])

    runtime.subscribe_columns("Out", again)
    runtime.send("S", plain(5, d=np.full(5, 1.0)), ts=np.full(5, 5))
    assert told == [[3.0] * 9, [2.0] * 9, [1.0] * 5]


@pytest.mark.parametrize("count", [1, 3, 4, 255, 256, 257, 1000, 1023])
@pytest.mark.parametrize("passing", ["none", "all", "few", "some", "blocks"])
def test_whatever_rows_pass_are_told_with_every_library(count: int, passing: str) -> None:
    g = {
        "none": np.zeros(count), "all": np.ones(count), "few": np.arange(count) % 97 == 0,
        "some": np.arange(count) * 7919 % 13 < 5, "blocks": np.arange(count) // 256 % 2,
    }[passing].astype(np.int64)  # fmt: skip
    columns = plain(count, g=g, b=np.arange(count) % 3 == 0)
    chosen = np.flatnonzero(g)
    expected = {
        "k": [NAMES[at % 3] for at in chosen], "l": chosen.tolist(), "m": (chosen + 1).tolist(),
        "b": (chosen % 3 == 0).tolist(), "o": (chosen > 9).tolist(),
    }  # fmt: skip
    query = "from S[g == 1] select k, l, l + 1L as m, b, l > 9L as o insert into Out;"

    def told() -> None:
        held: list[Any] = []
        runtime = start(query, "columnar", [])
        runtime.subscribe_columns("Out", held.append)
        runtime.send("S", columns, ts=np.full(count, 7))
        assert [dict(one) for one in held] == ([expected] if len(chosen) else [])
        assert [one.times for one in held] == ([[7] * len(chosen)] if len(chosen) else [])

    told()
    with kernels_for_every_processor():
        told()


def test_a_listener_that_fails_stops_nothing_and_tells_what_it_failed_on() -> None:
    app = "@OnError(action = 'stream') define stream S (k string, g int);"
    runtime = Runtime(f"{app} @info(name = 'q') from S[g > 1] select g insert into Out;")
    failed: list[Any] = []
    runtime.subscribe("!S", lambda _ts, came, _left: failed.extend(came))

    def fail(_columns: Any) -> None:
        raise RuntimeError("it is broken")

    end = runtime.subscribe_columns("q", fail)
    runtime.send("S", {"k": plain(3)["k"], "g": np.arange(3)}, ts=np.arange(3))
    assert [(k, g, str(error)) for k, g, error in failed] == [
        (name, at, "it is broken") for at, name in enumerate("abc")
    ]
    end()
    runtime.send("S", {"k": plain(3)["k"], "g": np.arange(3)}, ts=np.arange(3))
    assert len(failed) == 3 and runtime.stats()["streams"]["Out"] == 1


def test_without_the_interpreters_lock_batches_go_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Words(NAMES)
    codes = Dictionary(np.zeros(1, np.int64), words)
    query = "from S[g > 0] select k, g + 1 as n insert into Out;"
    sent: Sent = [("S", plain(4), np.arange(4))]
    taken: list[bool] = []
    take = Sifting.take
    monkeypatch.setattr(
        Sifting, "take", lambda self, *given: (taken.append(take(self, *given)), taken[-1])[1]
    )
    built = {"Py_GIL_DISABLED": 1}
    with monkeypatch.context() as here:
        here.setattr(single.sysconfig, "get_config_var", built.get)
        single.prepare(codes, words)
        assert single.kernel("flow_sift") is None
        rows = play(query, "columnar", sent)
    assert taken == []

    single.prepare(codes, words)
    assert play(query, "columnar", sent) == rows
    assert taken == ([True] if kernels.compiled() else [])
