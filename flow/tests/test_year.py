"""A year of running in a moment: keys without end, clocks that jump, snapshots of before."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest
from apps import Running
from test_state import APPS

from moorage_flow import Clock, Runtime
from moorage_flow.errors import AppInvalid
from moorage_flow.patterns.absent import MOST_ABSENCES

HOUR, DAY = 3_600_000, 86_400_000
YEAR = 365 * DAY
STREAMS = "define stream S (k string, n int); define stream T (k string, n int); "
KEYED = [
    "from S#window.time(1 year) select k, sum(n) as t insert into O;",
    "from S#window.length(5) select k, avg(n) as t insert into O;",
    "from every a=S -> b=T[n > a.n] within 1 hour select a.k as k insert into O;",
    "from every a=S -> not T for 2 year select a.k as k insert into O;",
    "from S select k, n output last every 1 month insert into O;",
]


def _held(runtime: Runtime) -> int:
    """Count every state, queue of times and timer."""
    clock = runtime.flow.clock
    return (
        sum(len(holder.states) for holder in runtime.flow.holders.values())
        + sum(len(scheduler.queues) for scheduler in clock.schedulers)
        + len(clock._due)
    )


@pytest.mark.parametrize("playback", ["", "@app:playback "])
@pytest.mark.parametrize("query", KEYED)
def test_keys_without_end_are_forgotten(query: str, playback: str) -> None:
    runtime = Runtime(
        f"{playback}{STREAMS}@purge(enable='true', interval='1 hour', idle.period='12 hours') "
        f"partition with (k of S, k of T) begin {query} end;",
        path="reference",
    )
    runtime.start()
    held = []
    for day in range(1, 366):
        at = day * DAY
        runtime.advance(at)
        for hour in range(2):
            keys = [f"{day}-{hour}-{n}" for n in range(10)]
            runtime.send("S", [(key, 1) for key in keys], ts=at + hour * HOUR)
            runtime.send("T", [(key, 2) for key in keys], ts=at + hour * HOUR)
        held.append(_held(runtime))
    assert max(held[180:]) <= max(held[:30])


def test_a_thousand_keys_are_forgotten_at_once() -> None:
    runtime = Runtime(
        f"{STREAMS}@purge(enable='true', interval='1 hour', idle.period='1 hour') "
        "partition with (k of S) begin from S#window.time(1 day) select k insert into O; end;",
        path="reference",
    )
    runtime.send("S", [(f"key-{n}", n) for n in range(1_000)])
    before = _held(runtime)
    runtime.advance(3 * HOUR)
    assert before > 2_000
    assert _held(runtime) < 10


@pytest.mark.parametrize("path", ["reference", "columnar"])
@pytest.mark.parametrize("playback", ["", "@app:playback "])
@pytest.mark.parametrize("app", APPS)
def test_a_clock_that_jumps_back_and_forth_breaks_nothing(
    app: str, playback: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = Runtime(playback + STREAMS + app, clock=Clock(YEAR), path=path)
    told: list[object] = []
    for name in runtime.ends():
        runtime.subscribe(name, lambda _at, came, _left: told.extend(came))
    chance = random.Random(3)
    at, far = YEAR, 30 * DAY if playback else 60_000  # A clock fires each period on its way.
    with caplog.at_level(logging.ERROR, "moorage_flow"):
        for _ in range(60):
            at += chance.choice([0, 1, 500, 2_000, -1, far, -far, 12 * far, -12 * far])
            if not playback:
                runtime.advance(at)
            runtime.send(chance.choice("ST"), [(chance.choice("ab"), chance.randrange(9))], ts=at)
    assert caplog.records == []
    assert 0 < len(told) < (3_600 if playback else 36_000)


@pytest.mark.parametrize("playback", ["", "@app:playback "])
def test_a_month_that_passes_at_once_tells_the_last_absences(playback: str) -> None:
    running = Running(
        f"{playback}{STREAMS}from every not S for 1 sec -> b=T select b.n as n insert into O;"
    )
    running.send("S", ("a", 1), at=1_000)
    if not playback:
        running.sleep(30 * DAY)
    running.send("T", ("a", 7), at=30 * DAY + 1_500)
    assert MOST_ABSENCES <= len(running.rows()) <= MOST_ABSENCES + 3
    running.send("T", ("a", 8), at=30 * DAY + 1_600)
    assert running.rows() == []


def test_a_few_absences_are_all_told() -> None:
    running = Running(
        f"@app:playback {STREAMS}from every not S for 1 sec -> b=T select b.n as n insert into O;"
    )
    running.send("S", ("a", 1), at=1_000)
    running.send("T", ("a", 7), at=51_500)
    assert len(running.rows()) == 51  # At 1, 2, … 51 seconds.


def test_nothing_is_absent_for_no_time() -> None:
    with pytest.raises(AppInvalid, match="at least 1 ms"):
        Runtime(f"{STREAMS}from every not S for 0 sec select 1 as n insert into O;")


SNAPSHOT = Path(__file__).parent / "data" / "version-1.snapshot"
KEPT = (
    f"{STREAMS}from S#window.length(3) select k, sum(n) as t group by k insert into Sums;"
    "from every a=S -> b=T[n > a.n] select a.n as a, b.n as b insert into Pairs;"
    "from S#window.timeBatch(1 sec) select count() as c insert into Counts;"
    "define table X (k string, n int); from S select k, n update or insert into X on X.k == k;"
)


def test_a_snapshot_of_the_first_version_goes_on() -> None:
    """The file was kept by the first version: S took ('a', 1), ('b', 2), ('a', 3) at 100 ms."""
    runtime, told = Runtime(KEPT, clock=Clock(100), path="reference"), []
    for name in ("Sums", "Pairs", "Counts"):
        runtime.subscribe(
            name, lambda _at, came, _left, name=name: told.extend((name, *c) for c in came)
        )
    runtime.restore(SNAPSHOT.read_bytes())
    runtime.send("S", [("a", 5)])
    runtime.send("T", [("a", 4)])
    runtime.advance(2_000)
    assert told == [
        ("Sums", "a", 8),
        ("Pairs", 1, 4),
        ("Pairs", 2, 4),
        ("Pairs", 3, 4),
        ("Counts", 4),
    ]
    assert runtime.query("from X select k, n") == [("a", 5), ("b", 2)]


COLUMNS = Path(__file__).parent / "data" / "columnar-1.snapshot"
KEPT_IN_COLUMNS = (
    f"@app:playback {STREAMS}from S#window.time(1 sec) select k, sum(n) as t, max(n) as m "
    "group by k insert into Slid;"
    "from S#window.timeBatch(1 sec) select k, sum(n) as t, count() as c group by k "
    "insert into Summed;"
    "from S#window.lengthBatch(4) select k, n insert into Batched;"
    "from every a=S[n > 0] -> b=T[k == a.k and n > a.n] within 1 day "
    "select a.k as k, a.n as a, b.n as b insert into Pairs;"
    "from S#window.length(2) as s join T#window.length(2) as t on s.k == t.k "
    "select s.k as k, s.n as s, t.n as t insert into Joined;"
    "partition with (k of S, k of T) begin "
    "from S#window.length(2) select k, avg(n) as a insert into Means; "
    "from every a=S -> not T for 1 sec select a.k as k, a.n as n insert into Alone; end;"
    "define aggregation Sums from S select k, sum(n) as t, count() as c group by k "
    "aggregate every sec ... hour;"
)


def test_a_snapshot_of_columns_goes_on() -> None:
    """The file was kept by the first version: S took ('a', 1), ('b', 2) at 100 ms and ('a', 3) at
    200, T took ('b', 1) at 150.
    """
    runtime = Runtime(KEPT_IN_COLUMNS, path="columnar")
    told: dict[str, list[object]] = {}
    for name in runtime.ends():
        rows = told[name] = []
        runtime.subscribe(name, lambda _at, came, _left, rows=rows: rows.extend(came))
    assert len(runtime.on_columns()) == 8
    runtime.restore(COLUMNS.read_bytes())
    runtime.send("S", [("a", 5), ("c", 7)], ts=700)
    runtime.send("T", [("a", 4), ("b", 9)], ts=900)
    runtime.send("S", [("b", 1)], ts=1_300)
    runtime.send("S", [("b", 1)], ts=2_500)
    assert told == {
        "Slid": [("a", 9, 5), ("c", 7, 7), ("b", 1, 1), ("b", 1, 1)],
        "Summed": [("a", 9, 3), ("b", 2, 1), ("c", 7, 1), ("b", 1, 1)],
        "Batched": [("a", 1), ("b", 2), ("a", 3), ("a", 5)],
        "Pairs": [("a", 1, 4), ("a", 3, 4), ("b", 2, 9)],
        "Joined": [("a", 5, 4), ("b", 1, 9), ("b", 1, 9)],
        "Means": [("a", 4.0), ("c", 7.0), ("b", 1.5), ("b", 1.0)],
        "Alone": [("c", 7), ("b", 1)],
    }
    asked = runtime.query("from Sums within 0L, 10000L per 'sec' select k, t, c")
    assert asked == [("a", 9, 3), ("b", 2, 1), ("c", 7, 1), ("b", 1, 1), ("b", 1, 1)]
