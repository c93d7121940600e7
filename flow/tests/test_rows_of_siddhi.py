"""Rows that the real Siddhi gave (`python -m bench flow-rows` asks it), where one would expect
others.
"""

from __future__ import annotations

from typing import Any

import pytest
from apps import Running

from moorage_flow import (
    AppInvalid,
    AttributeRepeated,
    AttributeUnknown,
    DefinitionRepeated,
    QueryInvalid,
    Runtime,
    SyntaxInvalid,
)

S = "define stream S (k string, n int); "
T = "define table T (k string, a int, b int); "


def rows(app: str, *sent: Any, together: bool = False) -> list[list[Any]]:
    """Send events of S, one by one or as one batch; give the rows of O."""
    running = Running(S + app)
    for some in [sent] if together else [(row,) for row in sent]:
        running.send("S", *some)
    return running.rows()


def test_a_sum_of_what_left_before_it_came_is_nothing_more() -> None:
    app = (
        "from S#window.expression('max(n) < 4') select k, sum(n) as s, count() as c insert into O;"
    )
    assert rows(app, ("x", 3), ("y", 4), ("z", 1)) == [["x", 3, 1], ["y", 0, 0], ["z", 1, 1]]


def test_a_deviation_of_fewer_than_none_is_told() -> None:
    app = "from S#window.expression('max(n) < 4') select stdDev(n) as s insert into O;"
    assert rows(app, ("y", 4), ("z", 1), ("z", 3)) == [[None], [0.0], [1.0]]


def test_what_is_set_sees_what_was_set_before_it_in_the_order_of_the_table() -> None:
    app = T + (
        "define stream C (k string, v int); from S select k, n as a, n as b insert into T; "
        "from C select k, v update T set T.b = v + T.a, T.a = 3 on T.k == k;"
    )
    running = Running(S + app)
    running.send("S", ("x", 1))
    running.send("C", ("x", 10))
    assert running.runtime.query("from T select k, a, b") == [("x", 3, 13)]


@pytest.mark.parametrize(("order", "wanted"), [("asc", [1, 2, None]), ("desc", [2, 1, None])])
def test_nulls_are_ordered_last(order: str, wanted: list[int | None]) -> None:
    app = f"from S#window.lengthBatch(3) select n order by n {order} insert into O;"
    assert rows(app, ("a", 2), ("b", None), ("c", 1)) == [[value] for value in wanted]


@pytest.mark.parametrize(
    "clause",
    ["having n > 1", "having S.n > 1", "having sum(n) > 1", "order by n", "order by S.n"],
)
def test_having_and_order_see_what_one_stream_selects_and_nothing_else(clause: str) -> None:
    with pytest.raises(AttributeUnknown, match="n is no attribute"):
        Runtime(S + f"from S select k, n as m {clause} insert into O;")

    chosen = f"from S select k, n {clause} insert into O;"
    assert rows(chosen, ("x", 2), ("y", 5)) == [["x", 2], ["y", 5]]


def test_having_sees_the_inputs_of_a_join() -> None:
    app = (
        "from S#window.length(2) as l join S#window.length(2) as r on l.k == r.k "
        "select l.k as k having r.n > 1 insert into O;"
    )
    assert rows(app, ("x", 1), ("y", 2)) == [["y"]]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("session(300)", "a constant long"),
        ("session(1 sec, k, 5)", "a constant long"),
        ("frequent(2, n)", "of type string"),
        ("lossyFrequent(0.5, 0.1, n)", "of type string"),
    ],
)
def test_a_window_refuses_what_siddhi_refuses(window: str, words: str) -> None:
    with pytest.raises(AppInvalid, match=words):
        Runtime(S + f"from S#window.{window} select k insert into O;")


def test_a_row_is_deleted_on_a_condition() -> None:
    with pytest.raises(SyntaxInvalid, match="expected"):
        Runtime(S + T + "from S select k delete T;")

    running = Running(S + T + "from S select k, n as a, n as b insert into T;")
    running.send("S", ("x", 1))
    with pytest.raises(SyntaxInvalid, match="expected"):
        running.runtime.query("delete T")
    assert running.runtime.query("delete T on true") == []
    assert running.runtime.query("from T select k") == []


@pytest.mark.parametrize("kind", ["join", "left outer join", "unidirectional join"])
def test_a_join_of_a_stream_with_itself_takes_event_by_event(kind: str) -> None:
    app = (
        f"from S#window.length(2) as l {kind} S#window.length(3) as r on l.k == r.k "
        "select l.n as x, r.n as y insert into O;"
    )
    sent = [("x", 1), ("y", 2), ("x", 3), ("x", 4), ("y", 5)]
    alone = rows(app, *sent)
    assert rows(app, *sent, together=True) == alone
    assert [4, 3] in alone


@pytest.mark.parametrize("path", ["columnar", "reference"])
def test_each_batch_of_a_named_window_is_told_for_itself(path: Any) -> None:
    app = (
        "define window W (k string, n int) lengthBatch(2); from S select k, n insert into W; "
        "@info(name = 'q') from W select sum(n) as s insert into O;"
    )
    runtime = Runtime(S + app, path=path)
    told: list[Any] = []
    runtime.subscribe("q", lambda _at, came, _left: told.append(came))
    runtime.send("S", [("a", 1), ("b", 2), ("c", 3), ("d", 4)])
    assert told == [[(3,)], [(7,)]]


def test_each_batch_is_filtered_for_itself() -> None:
    app = "from S#window.lengthBatch(2)[n > 1] select sum(n) as s insert into O;"
    sent = [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    assert rows(app, *sent, together=True) == [[2], [7]]


def test_the_mark_between_batches_is_an_event_to_output_first() -> None:
    app = "from S#window.lengthBatch(2) select k, n output first every 2 events insert into O;"
    sent = [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    # The mark and a are two, of which the mark is not shown; then b and a mark, then c and d.
    assert rows(app, *sent) == [["b", 2], ["c", 3]]


@pytest.mark.parametrize("path", ["columnar", "reference"])
def test_a_function_that_gives_a_bool_gives_false_for_null(path: Any) -> None:
    app = (
        "define stream B (t bool, u bool); @info(name = 'q') from B select t, coalesce(t, u) as v, "
        "ifThenElse(true, t, u) as w, convert(t, 'bool') as x insert into O;"
    )
    runtime = Runtime(app, path=path)
    told: list[Any] = []
    runtime.subscribe("q", lambda _at, came, _left: told.extend(came))
    runtime.send("B", [(None, None), (None, True), (True, None)])
    assert told == [
        (None, False, False, False),
        (None, True, False, False),
        (True, True, True, True),
    ]


@pytest.mark.parametrize("path", ["columnar", "reference"])
def test_a_cast_does_not_change_what_a_value_is_an_instance_of(path: Any) -> None:
    app = S + (
        "@info(name = 'q') from S select instanceOfInteger(cast(n, 'string')) as a, "
        "instanceOfString(cast(n, 'string')) as b, instanceOfLong(cast(n, 'long')) as c, "
        "instanceOfInteger(cast(n, 'long')) as d insert into O;"
    )
    runtime = Runtime(app, path=path)
    told: list[Any] = []
    runtime.subscribe("q", lambda _at, came, _left: told.extend(came))
    runtime.send("S", [("x", 1), ("y", None)])
    assert told == [(True, False, True, False), (False, False, False, False)]


@pytest.mark.parametrize(
    ("written", "kind", "wanted"),
    [
        ("+12", "int", 12),
        (" 12", "int", None),
        ("1_2", "int", None),
        ("99999999999", "int", None),
        ("99999999999", "long", 99999999999),
        (" 1.5 ", "double", 1.5),
        ("1.5f", "double", 1.5),
        ("inf", "double", None),
        ("-Infinity", "double", float("-inf")),
    ],
)
def test_text_is_read_as_a_number_as_java_does(written: str, kind: str, wanted: Any) -> None:
    assert rows(f"from S select convert(k, '{kind}') as v insert into O;", (written, 0)) == [
        [wanted]
    ]


def test_a_stream_is_never_null_where_its_events_are_looked_at() -> None:
    assert rows("from S[not (S is null)] select S is null as v insert into O;", ("x", 1)) == [
        [False]
    ]


def test_a_question_orders_and_keeps_rows_by_what_it_does_not_select() -> None:
    running = Running(S + T + "from S select k, n as a, n as b insert into T;")
    running.send("S", ("x", 1), ("y", 3), ("z", 2))
    assert running.runtime.query("from T select k having a > 1 order by b") == [("z",), ("y",)]


def test_rows_that_are_updated_or_inserted_are_the_tables() -> None:
    with pytest.raises(DefinitionRepeated, match=r"T is \(k string"):
        Runtime(S + T + "from S select n as a, k, n as b update or insert into T on T.k == k;")


def test_a_window_is_defined_once() -> None:
    with pytest.raises(DefinitionRepeated, match="W is defined twice"):
        Runtime("define window W (n int) length(2); define window W (n int) length(3);")


@pytest.mark.parametrize(
    ("head", "within", "words"),
    [
        ("@store(type = 'x') ", "1L, 2L", "there is no @store"),
        ("", "1, 2", "a long or a string"),
        ("", "1L", "two times or a pattern"),
    ],
)
def test_an_aggregation_refuses_what_siddhi_refuses(head: str, within: str, words: str) -> None:
    app = f"{head}define aggregation A from S select k, sum(n) as s group by k aggregate every sec;"
    with pytest.raises(AppInvalid, match=words):
        Runtime(S + app + f" from S join A within {within} per 'sec' select S.k insert into O;")


def test_a_buffers_size_is_a_number() -> None:
    with pytest.raises(AppInvalid, match=r"buffer.size is a positive number"):
        Runtime("@async(buffer.size = 'x') define stream S (n int);")


def test_a_snapshot_of_a_named_window_is_its_last_row() -> None:
    app = (
        "define window W (k string, n int) length(3); from S select k, n insert into W; "
        "from W select k, n output snapshot every 1 sec insert into O;"
    )
    running = Running(S + app)
    running.send("S", ("x", 1))
    running.send("S", ("y", 2))
    running.sleep(1_000)
    assert running.rows() == [["y", 2]]


def test_what_is_cast_to_a_bool_and_is_none_fails() -> None:
    app = (
        "@OnError(action = 'stream') define stream S (k string, n int); "
        "from S[cast(k, 'bool')] select k insert into P; from !S select k insert into O;"
    )
    running = Running(app)
    running.send("S", ("x", 1))
    assert running.rows() == [["x"]]


def test_a_question_of_an_aggregation_knows_no_row_when_it_names_its_time() -> None:
    app = "define aggregation A from S select k, sum(n) as s group by k aggregate every sec;"
    running = Running(S + app)
    with pytest.raises(QueryInvalid, match="k is no attribute"):
        running.runtime.query("from A within k, '2017-06-01 00:00:00' per 'sec'")


@pytest.mark.parametrize("path", ["columnar", "reference"])
def test_a_pair_that_leaves_and_never_came_is_taken_from_a_sum(path: Any) -> None:
    app = S + (
        "define stream R (k string, m int); @info(name = 'q') "
        "from S#window.length(1) unidirectional join R#window.length(1) on S.k == R.k "
        "select sum(R.m) as s, count() as c insert into O;"
    )
    runtime = Runtime(app, path=path)
    told: list[Any] = []
    runtime.subscribe("q", lambda _at, came, _left: told.extend(came))
    runtime.send("S", [("x", 1)])
    runtime.send("R", [("x", 5)])
    runtime.send("S", [("x", 2)])  # The first leaves with a pair it had not come with.
    runtime.send("R", [("x", None)])
    runtime.send("S", [("x", 3)])
    assert told == [(0, 0), (None, 0)]
    assert runtime.explain()[0][1] == path


@pytest.mark.parametrize("path", ["columnar", "reference"])
def test_what_is_cast_is_kept_by_having(path: Any) -> None:
    app = (
        "@info(name = 'q') from S select k, cast(n, 'double') as d, coalesce(n, 0) as m "
        "having not (d is null) and m > 1 insert into O;"
    )
    runtime = Runtime(S + app, path=path)
    told: list[Any] = []
    runtime.subscribe("q", lambda _at, came, _left: told.extend(came))
    runtime.send("S", [("x", 1), ("y", None), ("z", 3)])
    assert told == [("z", 3, 3)]
    assert runtime.explain()[0][1] == path


@pytest.mark.parametrize(
    "query",
    [
        "from e1=S -> e2=R[n > 1] select e2.m insert into O;",
        "from e1=S, e2=R[m > n] select e2.m insert into O;",
        "from e1=S -> not R[n > 1] for 1 sec select e1.k insert into O;",
        "from S[a == n in T] select k insert into O;",
        "from S delete T on a > 1;",
        "from S update T set T.a = n on a > 1;",
        "from S update T set T.a = a + n on T.k == k;",
    ],
)
def test_a_bare_attribute_is_of_the_event_itself(query: str) -> None:
    with pytest.raises(AttributeUnknown, match=r"(n|a) is no attribute"):
        Runtime(S + T + "define stream R (k string, m int); " + query)


@pytest.mark.parametrize("chosen", ["k, 1.5 as a", "k, 1L as a", "n as k"])
def test_an_update_gives_each_attribute_in_its_type(chosen: str) -> None:
    with pytest.raises(AppInvalid, match=r"of T is (int|string), the query gives") as refused:
        Runtime(S + T + f"from S select {chosen} update T on T.a == 1;")
    assert refused.value.place is not None


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        ("every", []),
        ("all every", []),
        ("last every", []),
        ("first every", [["x"]]),
    ],
)
def test_every_0_events_is_never(rate: str, wanted: list[Any]) -> None:
    sent = [("x", 1), ("x", 2), ("y", 3)]
    assert rows(f"from S select k output {rate} 0 events insert into O;", *sent) == wanted
    grouped = f"from S select k group by k output {rate} 0 events insert into O;"
    assert rows(grouped, *sent) == ([["x"], ["y"]] if wanted else [])


def test_one_event_within_a_time_is_a_pattern_that_is_met_once() -> None:
    sent = [("x", 1), ("y", 2), ("z", 3)]
    assert rows("from S[n > 1] within 1 sec select k, n insert into O;", *sent) == [["y", 2]]


@pytest.mark.parametrize(
    ("window", "chosen", "wanted"),
    [
        ("frequent(1)", "k, sum(n) as s", [["x", 1], ["x", 3], ["x", 7]]),
        ("frequent(1)", "k, n", [["x", 1], ["x", 2], ["y", 3], ["x", 4]]),
        ("frequent(1)", "*", [["x", 1], ["x", 2], ["y", 3], ["x", 4]]),
        ("lossyFrequent(0.5, 0.1)", "k, sum(n) as s", [["x", 1], ["x", 3], ["x", 7]]),
    ],
)
def test_what_is_selected_as_it_is_tells_events_apart(
    window: str, chosen: str, wanted: list[Any]
) -> None:
    sent = [("x", 1), ("x", 2), ("y", 3), ("x", 4)]
    assert rows(f"from S#window.{window} select {chosen} insert into O;", *sent) == wanted


@pytest.mark.parametrize(
    ("window", "wanted"),
    [("time(800)", []), ("sort(1, n)", []), ("length(1)", [[2]]), ("lengthBatch(1)", [[2]])],
)
def test_a_snapshot_of_nothing_but_sums_is_gone_once_an_event_has_left(
    window: str, wanted: list[Any]
) -> None:
    running = Running(
        S + f"from S#window.{window} select sum(n) as s output snapshot every 1 sec insert into O;"
    )
    running.send("S", ("x", 1))
    running.sleep(400)
    running.send("S", ("y", 2))
    running.sleep(600)
    assert running.rows() == wanted


def test_an_aggregation_names_each_attribute_once() -> None:
    with pytest.raises(AttributeRepeated, match="k is selected twice"):
        Runtime(
            S + "define aggregation A from S select k, sum(n) as k group by k aggregate every sec;"
        )


def test_a_question_that_selects_nothing_names_the_tables_attributes() -> None:
    running = Running(S + T + "from S select k, n as a, n as b insert into T;")
    running.send("S", ("x", 1), ("y", 3), ("z", 5))
    running.runtime.query("update T set T.b = a + 1 on k == 'y' and a > 1")
    running.runtime.query("delete T on T.k == 'x' or a > 4")
    assert running.runtime.query("from T") == [("y", 3, 4)]


@pytest.mark.parametrize("seconds", ["*/5.0", "x", "1/0", "-"])
def test_what_is_no_number_in_a_cron_expression_is_named(seconds: str) -> None:
    with pytest.raises(AppInvalid, match=r"is no cron expression: .*(no number|not advance)") as no:
        Runtime(f"define trigger R at '{seconds} * * * * ?';")
    assert "int()" not in str(no.value)
