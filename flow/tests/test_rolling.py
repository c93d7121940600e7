"""Sums of a window for each key give the rows of both other ways, whatever comes between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_columnar import COMMON
from test_direct import arrays, conditions, in_every_way, plain
from test_one_call import WORDS, Sent, play

from moorage_flow.columnar import Dictionary, rings
from moorage_flow.columnar.rolling import Rolling


@st.composite
def windows_by_key(draw: st.DrawFn) -> str:
    """Draw sums of a window of each key; some of it no kernel takes."""
    where = draw(st.sampled_from(["", f"[{draw(conditions())}]"]))
    one = st.sampled_from(["sum(d)", "sum(g)", "count()", "avg(f)", "sum(l)", "avg(g)", "avg(d)"])
    other = st.sampled_from(["avg(l)", "max(l)", "sum(d) * 2.0"])
    rare = draw(st.integers(0, 5)) == 0
    chosen = draw(st.lists(one, min_size=1, max_size=3)) + ([draw(other)] if rare else [])
    columns = ", ".join(f"{value} as c{at}" for at, value in enumerate(chosen))
    shown = draw(st.sampled_from(["", "k, ", "b, l, ", "k, d, "]))
    window = draw(st.sampled_from(["length(1)", "length(2)", "length(5)", "length(40)", "time(9)"]))
    key = draw(st.sampled_from(["k"] * 5 + ["g"]))
    query = f"from S{where}#window.{window} select {shown}{columns} insert into Out;"
    return f"partition with ({key} of S) begin {query} end;"


@pytest.mark.search
@COMMON
@given(windows_by_key(), arrays(), st.integers(0, 6))
def test_sums_of_windows_by_key_are_the_same_in_one_call(app: str, sent: Sent, cut: int) -> None:
    in_every_way(app, sent, cut)


@pytest.mark.parametrize(
    ("query", "others"),
    [
        (
            "#window.length(7) select k, avg(d) as a, count() as n, sum(g) as s, b",
            [0, 12, 15, 16, 18],
        ),
        ("[g != 3]#window.length(2) select sum(l) as s, l", [0, 12, 15, 18]),
        ("#window.length(0) select sum(d) as s", None),
        ("#window.length(3) select k, sum(d) as s group by k", None),
        ("#window.length(3) select k, sum(d) as s having s > 1.0", None),
        ("#window.length(3) select max(d) as s", None),
        ("#window.timeLength(5, 3) select sum(d) as s", None),
    ],
)
def test_a_window_by_key_is_kept_in_one_call_whatever_comes_between(
    query: str, others: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    take = Rolling.take
    monkeypatch.setattr(
        Rolling, "take", lambda self, *given: (taken.append(take(self, *given)), taken[-1])[1]
    )
    app = f"partition with (k of S) begin from S{query} insert into Out; end;"
    rng = np.random.default_rng(5)
    sent: Sent = []
    for at in range(24):
        columns = plain(30)
        columns["k"] = Dictionary(rng.integers(0, 3 + (at > 6), 30), WORDS[int(at == 9)])
        columns["d"] = rng.uniform(-1, 1, 30)
        sent.append(("S", columns, 10 * at + np.arange(30)))
    # In between come a list, a null and a key that is missing.
    sent[12][1]["d"] = sent[12][1]["d"].tolist()
    sent[15][1]["d"] = np.ma.MaskedArray(sent[15][1]["d"], np.arange(30) == 4)
    sent[18][1]["k"].codes[3] = -1
    told = play(app, "columnar", sent)
    # The first begins time; in steps it goes on until as many rows have come as are held.
    assert [at for at, kept in enumerate(taken) if not kept] == (others or [])
    assert len(taken) == (24 if others else 0)
    assert told == play(app, "reference", sent)
    for cut in (1, 8, 10, 13, 16):
        assert told == play(app, "columnar", sent, cut)
    monkeypatch.setattr(rings, "SPARE", 4)
    monkeypatch.setattr(rings, "WASTE", 1)
    assert told == play(app, "columnar", sent, 9)
