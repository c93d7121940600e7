"""The text of applications: what is read, and how what is not is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_flow import App, AttributeRepeated, SyntaxInvalid
from moorage_flow.language import parser
from moorage_flow.language import syntax as s

KEYWORDS = ["select", "from", "every", "last", "order", "window", "table", "limit", "within", "min"]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("define stream S (a int;", 1, 23, "')'"),
        ("define stream S (a int);\nfrom S selct a insert into O;", 2, 8, "select"),
        ("define stream S (a number);", 1, 20, "a type"),
        ("define stream S (a int);\nfrom S select a insert O;", 2, 24, "into"),
        ("define stream S (a int)", 1, 24, None),
    ],
)
def test_a_refusal_names_line_column_and_what_was_expected(
    text: str, line: int, column: int, expected: str | None
) -> None:
    if expected is None:
        assert App.parse(text).syntax.definitions
        return
    with pytest.raises(SyntaxInvalid) as refused:
        App.parse(text)
    assert (refused.value.place.line, refused.value.place.column) == (line, column)
    assert expected in refused.value.expected


@pytest.mark.parametrize("word", KEYWORDS)
def test_a_keyword_is_a_name_where_the_grammar_expects_none(word: str) -> None:
    app = App.parse(
        f"define stream S ({word} int); from S[{word} > 1] select {word} insert into O;"
    )
    definition = app.syntax.definitions[0]
    assert isinstance(definition, s.StreamDefinition)
    assert definition.attributes == (s.Attribute(word, s.Type.INT),)


@given(st.integers(0, 2**31 - 1), st.floats(0, 1e30, allow_nan=False))
def test_numbers_are_read_as_their_type(whole: int, real: float) -> None:
    assert parser.parse_expression(str(whole)) == s.Constant(whole, s.Type.INT, place=s.Place(1, 1))
    assert parser.parse_expression(f"{whole}L").type is s.Type.LONG  # type: ignore[union-attr]
    read = parser.parse_expression(f"-{real!r}" if "e" in repr(real) else f"-{real:f}")
    assert isinstance(read, s.Constant)
    assert read.type is s.Type.DOUBLE
    assert read.value <= 0


def test_not_binds_closer_than_a_comparison() -> None:
    read = parser.parse_expression("not a == b")
    assert isinstance(read, s.Compare)
    assert isinstance(read.left, s.Not)


def test_times_add_up_and_run_from_coarse_to_fine() -> None:
    read = parser.parse_expression("1 hour 2 min 3 sec 4 millisec")
    assert isinstance(read, s.Constant)
    assert (read.value, read.type, read.time) == (3_723_004, s.Type.LONG, True)
    with pytest.raises(SyntaxInvalid):
        parser.parse_expression("3 sec 2 min")


@pytest.mark.parametrize(
    "text",
    [
        "from every (every a=A -> b=B) select a.x insert into O",
        "from a=A -> not B select a.x insert into O",
        "from not A for 1 sec -> not B for 1 sec select 1 as x insert into O",
        "from a=A#window.length(1) -> b=B select a.x insert into O",
        "from A#window.length(1)[x > 1] join B on A.x == B.x select A.x insert into O",
        "from A#window.length(1)#window.length(2) select x insert into O",
        "from A select x + 1 insert into O",
    ],
)
def test_what_has_no_meaning_is_refused(text: str) -> None:
    with pytest.raises(SyntaxInvalid):
        parser.parse_query(text)


@pytest.mark.parametrize("text", ["insert into T", "update or insert into T on T.a == 1"])
def test_what_is_inserted_on_demand_is_selected_first(text: str) -> None:
    with pytest.raises(SyntaxInvalid, match="selected first"):
        parser.parse_on_demand(text)


@pytest.mark.parametrize("name", ["#S", "!S"])
def test_inner_streams_and_those_of_faults_are_not_defined(name: str) -> None:
    with pytest.raises(SyntaxInvalid, match="not defined by hand"):
        parser.parse_definition(f"define stream {name} (a int)", "stream")


def test_a_function_may_be_of_the_namespace_window() -> None:
    read = parser.parse_query("from A#window:last(2, x)#window.length(1) select x insert into O")
    assert isinstance(read.input, s.Single)
    function, window = read.input.handlers
    assert isinstance(function, s.StreamFunction) and isinstance(window, s.Window)
    assert (function.call.namespace, function.call.name) == ("window", "last")
    assert len(function.call.arguments) == 2


def test_an_attribute_is_selected_once() -> None:
    with pytest.raises(AttributeRepeated):
        parser.parse_query("from A select x, y as x insert into O")


def test_the_body_of_a_function_may_nest_braces_and_quote_them() -> None:
    body = ' if (a) { return "}"; } // { \n return 1; '
    read = parser.parse_definition(f"define function f[js] return int {{{body}}}", "function")
    assert isinstance(read, s.FunctionDefinition)
    assert read.body == body


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        App.parse(text)
    except (SyntaxInvalid, AttributeRepeated) as refused:
        assert refused.place.line >= 1


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("define stream S (a strin);", "did you mean string, int?"),
        ("define strem S (a int);", "did you mean stream, trigger?"),
        ("define stream S (a int); from S selct a insert into O;", "did you mean select, insert"),
    ],
)
def test_a_refusal_names_what_is_like_it(text: str, like: str) -> None:
    with pytest.raises(SyntaxInvalid, match=re.escape(like)):
        App.parse(text)


def test_the_parsers_tables_are_kept_and_made_anew_where_they_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tmp_path / "tables"
    monkeypatch.setattr(parser, "_kept", lambda _start: str(tables))
    text = "from S[n > 1] select n insert into O"
    query = parser._lark.__wrapped__("query").parse(text)
    kept = tables.read_bytes()

    with monkeypatch.context() as here:
        here.setattr("lark.lark.load_grammar", None)  # What is read is not made.
        assert parser._lark.__wrapped__("query").parse(text) == query

    tables.write_bytes(kept[: len(kept) // 2])
    assert parser._lark.__wrapped__("query").parse(text) == query
    assert tables.stat().st_size > len(kept) // 2


@pytest.mark.parametrize(
    ("writes", "stands", "kept"),
    [
        (True, False, True),
        (False, True, True),
        (False, False, False),
    ],
)
def test_tables_are_kept_where_compiled_modules_are(
    writes: bool, stands: bool, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "__file__", str(tmp_path / "parser.py"))
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    place = tmp_path / "__pycache__"
    place.mkdir()
    name = place / f"grammar.{sys.implementation.cache_tag}.query.tables"
    if stands:
        name.touch()
    assert parser._kept("query") == (str(name) if kept else False)
