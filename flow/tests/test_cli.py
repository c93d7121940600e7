"""The command `moorage-flow`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moorage_flow.cli import main

APP = (
    "define stream S (k string, n int); "
    "from S#window.time(1 sec) select k, sum(n) as t insert into O;"
)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.siddhi"
    path.write_text(APP)
    return path


def test_run_tells_the_rows_of_a_file(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(
        '{"stream": "S", "data": {"k": "a", "n": 1}, "ts": 1000}\n\n'
        '{"stream": "S", "data": ["a", 2], "ts": 1500}\n'
        '{"stream": "S", "data": ["a", 3], "ts": 2200}\n'
    )
    assert main(["run", str(app), "--in", str(events)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [t["came"] for t in told] == [{"k": "a", "t": 1}, {"k": "a", "t": 3}, {"k": "a", "t": 5}]
    assert {t["from"] for t in told} == {"O"}


def test_a_line_that_is_no_event_is_named(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text('{"stream": "S"}\n')
    assert main(["run", str(app), "--in", str(events)]) == 1
    assert "line 1 is no event" in capsys.readouterr().err


def test_explain_names_each_query_and_its_path(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(app)]) == 0
    assert capsys.readouterr().out == "query-1: columnar (compiled kernels keep its state)\n"


def test_explain_says_where_the_text_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "app.siddhi"
    path.write_text("define stream S (k string\n n int);")
    assert main(["explain", str(path)]) == 1
    assert "line 2, column 2: found 'n', expected ')', ','" in capsys.readouterr().err


def _vector(wanted: list[list[object]]) -> dict[str, object]:
    return {
        "name": "sums",
        "apps": [APP],
        "steps": [
            {"op": "create", "rt": 0, "app": 0},
            {"op": "callback", "cb": 0},
            {"op": "start", "rt": 0},
            {"op": "send", "rt": 0, "stream": "S", "row": ["a", 1], "types": "si"},
            {"op": "sleep", "ms": 500},
            {"op": "send", "rt": 0, "stream": "S", "row": ["a", 2], "types": "si"},
            {"op": "check", "expr": ["==", ["var", "n"], ["lit", 2]]},
        ],
        "callbacks": [{"id": 0, "rt": 0, "kind": "stream", "name": "O"}],
        "vars": {"n": {"cb": 0, "kind": "in_events"}},
        "golden": {"trace": [{"step": 3, "cb": 0, "in": wanted}], "stable": True},
    }


def test_verify_counts_and_names_the_first_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps([_vector([["a", 1], ["a", 3]]), _vector([["a", 1], ["a", 4]])]))
    assert main(["verify", str(path)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("callback 0 in, row 1: wanted ['a', 4], found ['a', 3]")
    assert told[-1] == "1 passed, 1 failed, 0 skipped"
    for way, word in (("columnar", ""), ("both", "reference: ")):
        assert main(["verify", "--path", way, str(path)]) == 1
        again = capsys.readouterr().out.splitlines()
        assert again[0].endswith(f"{word}callback 0 in, row 1: wanted ['a', 4], found ['a', 3]")
        assert again[-1] == "1 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize(
    ("wanted", "known", "status"),
    [(3, "", 0), (4, "", 1), (4, "# why\nsums\n", 0), (3, "sums\n", 1)],
)
def test_verify_is_content_with_what_is_known_to_fail_and_does(
    wanted: int, known: str, status: int, tmp_path: Path
) -> None:
    path, names = tmp_path / "vectors.json", tmp_path / "known.txt"
    path.write_text(json.dumps([_vector([["a", 1], ["a", wanted]])]))
    names.write_text(known)
    assert main(["verify", "--known", str(names), str(path)]) == status


@pytest.mark.parametrize("content", [b"{", b"[1]", b'[{"name": "a"}]', b"\xff"])
def test_a_file_that_holds_no_vectors_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "vectors.json"
    path.write_bytes(content)
    assert main(["verify", str(path)]) == 1
    assert "vectors.json is no" in capsys.readouterr().err


def test_an_application_that_is_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "app.siddhi"
    path.write_bytes(b"\xff")
    assert main(["explain", str(path)]) == 1
    assert "moorage-flow: 'utf-8' codec" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "nowhere.json"]) == 1
    assert "nowhere.json" in capsys.readouterr().err


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("ts,k,n\n1000,a,1\n1000,b,x\n1000,b,2\n2000,a,3\n")
    return path


def test_run_takes_and_tells_csv_past_what_is_malformed(
    app: Path, csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "rows.csv"
    given = ["run", str(app), "--in", str(csv), "--format", "csv", "--stream", "S"]
    assert main([*given, "--to", str(to), "--to-format", "csv"]) == 1
    assert to.read_text().splitlines() == ["ts,k,t", "1000,a,1", "1000,b,3", "2000,a,3"]
    assert "line 3 has 'x' for n, a int" in capsys.readouterr().err
    assert main([*given, "--to", str(to), "--strict"]) == 1
    assert [json.loads(line)["came"] for line in to.read_text().splitlines()] == [
        {"k": "a", "t": 1}
    ]


def test_events_of_one_time_are_sent_together_where_a_batch_is_wanted(
    app: Path, csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv.write_text("ts,k,n\n1000,a,1\n1000,b,2\n2000,a,3\n")
    given = ["run", str(app), "--in", str(csv), "--format", "csv", "--stream", "S"]
    assert main([*given, "--batch", "10"]) == 0
    told = [json.loads(line)["came"] for line in capsys.readouterr().out.splitlines()]
    # Of a batch sent together, a query with aggregators tells the last row.
    assert told == [{"k": "b", "t": 3}, {"k": "a", "t": 3}]


def test_event_time_is_that_of_the_file(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "playback.siddhi"
    path.write_text("@app:playback " + APP)
    csv.write_text("ts,k,n\n1000,a,1\n1999,b,2\n2000,a,3\n")
    assert main(["run", str(path), "--in", str(csv), "--format", "csv", "--stream", "S"]) == 0
    told = [json.loads(line)["came"]["t"] for line in capsys.readouterr().out.splitlines()]
    assert told == [1, 3, 5]


def test_a_stream_nobody_defined_is_named(
    app: Path, csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(app), "--in", str(csv), "--format", "csv", "--stream", "s"]) == 1
    assert "no stream is called s; did you mean S?" in capsys.readouterr().err
