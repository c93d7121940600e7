"""What the examples of the pages do not reach: borders, refusals, errors while running."""

from __future__ import annotations

import pytest
from apps import Running

from moorage_flow import (
    AppInvalid,
    AttributeUnknown,
    DefinitionRepeated,
    DefinitionUnknown,
    EventInvalid,
    FunctionUnknown,
    QueryInvalid,
    Runtime,
)

S = "define stream S (k string, n int); "
T = "define table T (k string, n int); "


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ("from X select k insert into O;", DefinitionUnknown, "X is not defined"),
        ("from S select kk insert into O;", AttributeUnknown, "did you mean k"),
        ("from S select summ(n) as t insert into O;", FunctionUnknown, "did you mean sum"),
        ("from S#window.lenght(2) select k insert into O;", FunctionUnknown, "did you mean length"),
        ("from S#window.length('a') select k insert into O;", AppInvalid, "a constant int"),
        ("from S#window.length(n) select k insert into O;", AppInvalid, "something that varies"),
        ("from S#window.time() select k insert into O;", AppInvalid, "takes 1 parameters, not 0"),
        ("from S[k > 1] select k insert into O;", AppInvalid, "cannot compare a string"),
        ("from S[n + k > 1] select k insert into O;", AppInvalid, "needs numbers"),
        ("from S[n] select k insert into O;", AppInvalid, "a condition is a bool"),
        ("from S join T on sum(S.n) > 1 select S.k insert into O;", AppInvalid, "no place for it"),
        ("from S select sum(k) as t insert into O;", AppInvalid, "of type int"),
        ("from S select k insert into T;", DefinitionRepeated, "T is"),
        ("from S select k update X on X.k == k;", DefinitionUnknown, "no table"),
        ("from T select k insert into O;", AppInvalid, "alone"),
        ("from S select k limit -1 insert into O;", AppInvalid, "not negative"),
        ("from T join T on true select T.k as k insert into O;", AppInvalid, "on one side"),
        ("from #S select k insert into O;", AppInvalid, "outside of a partition"),
        ("from S select ifThenElse(n > 1, 'a', 2) as x insert into O;", AppInvalid, "one type"),
        ("@info(name='q') from S select k insert into O; @info(name='q') from S select k "
         "insert into P;", AppInvalid, "two queries"),
    ],
)  # fmt: skip
def test_an_application_that_cannot_run_is_refused(
    query: str, error: type[AppInvalid], words: str
) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        Runtime(S + T + query)


@pytest.mark.parametrize(
    "definition",
    [
        "define stream S (k string);",
        "define table S (k string, n int);",
        "define stream A (x int, x int);",
        "@PrimaryKey('z') define table A (x int);",
        "@PrimaryKey('x') @PrimaryKey('y') define table A (x int, y int);",
        "define trigger A at 'sometimes';",
        "define function f[js] return int { 1 };",
        "define window A (x int) unheard(1);",
        "@async(workers='0') define stream A (x int);",
        "define aggregation A from X select sum(x) as s aggregate every sec;",
        "define aggregation A from S select stdDev(n) as s aggregate every sec;",
    ],
)
def test_a_definition_that_cannot_stand_is_refused(definition: str) -> None:
    with pytest.raises(AppInvalid):
        Runtime(S + definition)


def test_an_event_that_does_not_fit_is_refused() -> None:
    running = Running(S + "from S select k insert into O;")
    for row in [("a",), ("a", "b"), (1, 1), ("a", True), ("a", 1.5)]:
        with pytest.raises(EventInvalid):
            running.send("S", row)
    with pytest.raises(EventInvalid, match="did you mean S"):
        running.send("s", ("a", 1))
    assert running.rows() == []


def test_the_events_a_query_fails_on_go_to_the_fault_stream() -> None:
    running = Running(
        "@OnError(action='stream') define stream S (o object);"
        "from S select sizeOfSet(o) as n insert into O;"
        "from !S select o insert into Failed;"
    )
    running.send("S", (5,))
    running.send("S", ({1, 2},))
    assert running.told == [("=>", "Failed", [5]), ("=>", "O", [2])]


def test_a_failing_query_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    running = Running(
        "define stream S (o object); from S select sizeOfSet(o) as n insert into O;"
        "from S select 1 as one insert into P;"
    )
    running.send("S", (5,))
    assert running.told == [("=>", "P", [1])]
    assert [r.message for r in caplog.records] == ["flow_listener_failed"]


def test_rows_that_would_share_a_primary_key_are_refused_together() -> None:
    running = Running(
        "define stream S (k string, n int); define stream U (n int);"
        "@PrimaryKey('n') define table T (k string, n int);"
        "from S insert into T; from U update T set T.n = n on T.n <= n;"
    )
    running.send("S", ("a", 1), ("b", 2), ("c", 2))
    running.send("U", (9,))
    assert running.runtime.query("from T select k, n") == [("a", 1), ("b", 2)]


def test_a_table_is_changed_and_asked_on_demand() -> None:
    running = Running(S + T + "from S insert into T;")
    ask = running.runtime.query
    ask("select 'x' as k, 1 as n insert into T")
    ask("select 'y' as k, 2 as n update or insert into T set T.n = n on T.k == k")
    ask("update T set T.n = 7 on T.k == 'x'")
    assert sorted(ask("from T select k, n")) == [("x", 7), ("y", 2)]
    ask("delete T on T.n > 5")
    assert ask("from T on n > 0 select k, sum(n) as s group by k having s > 1") == [("y", 2)]
    for text in ["from X select k", "from T select z", "from T within '2017' per 'days' select k"]:
        with pytest.raises(QueryInvalid):
            ask(text)


def test_a_partition_without_events_is_purged() -> None:
    running = Running(
        S + "@purge(enable='true', interval='1 sec', idle.period='2 sec')"
        "partition with (k of S) begin from S select k, count() as c insert into O; end;"
    )
    running.send("S", ("a", 1))
    running.send("S", ("a", 1))
    running.sleep(1000)
    running.send("S", ("b", 1))
    held = len(running.runtime.flow.holders["query-1:0"].states)
    running.sleep(2500)
    running.send("S", ("a", 1))
    assert held == 2
    assert running.rows() == [["a", 1], ["a", 2], ["b", 1], ["a", 1]]


def test_time_in_playback_is_that_of_the_events() -> None:
    running = Running(
        "@app:playback define stream S (n int);"
        "from S#window.timeBatch(1 sec) select sum(n) as t insert into O;"
    )
    for n, at in enumerate((5000, 5500, 6100, 6200, 7300)):
        running.send("S", (n,), at=at)
    assert running.rows() == [[1], [5]]


YEAR = 365 * 86_400_000


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("from S select n output every 700 milliseconds insert into O", [[0], [1], [2]]),
        ("from S select n output last every 700 milliseconds insert into O", [[1], [2]]),
        (
            "from S select n output snapshot every 700 milliseconds insert all events into O",
            [[1], [2]],
        ),
        ("from S#window.timeBatch(1 sec) select n insert into O", [[0], [1], [2]]),
    ],
)
def test_a_replay_counts_periods_from_its_first_event_and_jumps_far(
    query: str, rows: list[list[int]]
) -> None:
    running = Running(f"@app:playback define stream S (n int); {query};")
    begin = 1_500_000_000_000
    for n, at in enumerate((begin, begin + 600, begin + YEAR, begin + 2 * YEAR)):
        running.send("S", (n,), at=at)
    assert running.rows() == rows


def test_a_trigger_counts_the_periods_a_jump_passes_by_as_one() -> None:
    running = Running(
        "@app:playback define stream S (n int); define trigger T at every 1 sec;"
        "from T select triggered_time insert into O;"
    )
    for at in (5000, 5400, 6000, YEAR + 5100, YEAR + 6000):
        running.send("S", (0,), at=at)
    assert running.rows() == [[5000], [6000], [YEAR + 5100], [YEAR + 6000]]


@pytest.mark.parametrize(
    "part",
    [
        "from S select n output every 0 sec insert into O;",
        "from S select n output snapshot every 0 sec insert all events into O;",
        "from S#window.timeBatch(0 sec) select n insert into O;",
        "define trigger T at every 0 sec;",
        "@purge(enable='true', interval='0 sec', idle.period='1 sec')"
        "partition with (n of S) begin from S select n insert into O; end;",
    ],
)
def test_a_period_without_length_is_refused(part: str) -> None:
    with pytest.raises(AppInvalid, match="at least 1 ms"):
        Runtime(f"define stream S (n int); {part}")


def test_an_idle_replay_goes_on_by_itself() -> None:
    running = Running(
        "@app:playback(idle.time='100 millisecond', increment='1 sec') define stream S (n int);"
        "from S#window.time(1 sec) select n insert expired events into O;"
    )
    running.send("S", (1,), at=5000)
    running.sleep(150)
    assert running.rows() == [[1]]


def test_an_application_is_tried_without_its_sources_and_sinks() -> None:
    from moorage_flow import App
    from moorage_flow.broker import Broker
    from moorage_flow.transports import connect

    app = App.parse(
        "@source(type='kafka', topic='t', @map(type='json')) define stream S (n int);"
        "from S select n insert into O;"
    )
    with pytest.raises(FunctionUnknown):
        connect(Runtime(app), Broker())
    connect(Runtime(app.sandbox()), Broker())


def test_streams_are_joined_by_topics() -> None:
    from moorage_flow.broker import Broker
    from moorage_flow.transports import connect

    broker = Broker()
    runtime = Runtime(
        "@source(type='inMemory', topic='in', @map(type='passThrough'))"
        "define stream S (k string);"
        "@sink(type='inMemory', topic='{{k}}', @map(type='passThrough'))"
        "define stream O (k string);"
        "from S select k insert into O;"
    )
    connect(runtime, broker)
    got: list[list[list[str]]] = []
    broker.subscribe("a", got.append)
    broker.publish("in", [["a"], ["b"], ["a"]])
    assert got == [[["a"]], [["a"]]]


def test_cron_fires_at_its_times() -> None:
    running = Running(
        "define trigger Tick at '*/20 * * * * ?';"
        "from Tick select triggered_time as t insert into O;",
        now=1_000,
    )
    running.sleep(60_000)
    assert running.rows() == [[20_000], [40_000], [60_000]]


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 0 12 * * ?", "2024-02-28 13:00:00", "2024-02-29 12:00:00"),
        ("0 0 0 L * ?", "2024-02-01 00:00:00", "2024-02-29 00:00:00"),
        ("0 0 0 15W * ?", "2024-06-01 00:00:00", "2024-06-14 00:00:00"),
        ("0 0 0 ? * MON#2", "2024-06-01 00:00:00", "2024-06-10 00:00:00"),
        ("0 0 0 ? * 6L", "2024-06-01 00:00:00", "2024-06-28 00:00:00"),
        ("0 0 0 1 JAN ? 2030", "2024-06-01 00:00:00", "2030-01-01 00:00:00"),
    ],
)
def test_cron_reads_what_quartz_reads(cron: str, after: str, due: str) -> None:
    from moorage_flow.calendars import instant
    from moorage_flow.cron import Cron

    assert Cron(cron).after(instant(after)) == instant(due)


def test_cron_says_when_there_is_no_next_time() -> None:
    from moorage_flow.cron import Cron

    assert Cron("0 0 0 1 1 ? 2020").after(1_700_000_000_000) is None
    with pytest.raises(AppInvalid):
        Cron("61 * * * * ?")
