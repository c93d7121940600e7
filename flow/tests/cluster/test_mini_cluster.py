"""What `to-flink` writes gives this engine's rows on Flink's mini-cluster: `make test-flink`.

Times differ from event to event, for Flink takes events of one time together; rows are compared in
the order of their values, for Flink tells the groups of a window in no order.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_docs import EXAMPLES

from moorage_flow import App, Clock, Runtime
from moorage_flow.flink import translate
from moorage_flow.language.syntax import StreamDefinition

ROOT = Path(__file__).parents[3]
START = 1_600_000_000_000
HOUR = 3_600_000
STREAMS = "define stream S (k string, n int, x double); define stream R (k string, y double); "
APPS = {
    "filter": "from S[n > 3 and not (x < 2.0)] select k, n / 2 as half, n % 3 as rest, "
    "x * n as product insert into O;",
    "null": "from S[k != 'a'] select k, coalesce(n, 7) as n, ifThenElse(x > 2.0, 1, 2) as side "
    "insert into O;",
    "union": "from S[n > 5] select k insert into O; from R[y > 5.0] select k insert into O;",
    "running": "from S select k, sum(n) as t, count() as c, max(x) as top group by k "
    "insert into O;",
    "time": "from S#window.time(1 sec) select k, sum(n) as t, avg(x) as m, count() as c group by k "
    "insert into O;",
    "timeBatch": "from S#window.timeBatch(1 sec, 0) select k, sum(n) as t, min(x) as least "
    "group by k insert into O;",
    "length": "partition with (k of S) begin from S#window.length(3) "
    "select k, max(x) as top, sum(n) as t insert into O; end;",
    "having": "from S#window.time(1 sec) select k, sum(n) as t group by k having t > 9 "
    "insert into O;",
    "join": "from S#window.time(1 sec) as l join R#window.time(2 sec) as r on l.k == r.k "
    "select l.k as k, l.n as n, r.y as y insert into O;",
    "unidirectional": "from S#window.time(1 sec) as l unidirectional join R#window.time(1 sec) "
    "as r on l.k == r.k select l.k as k, r.y as y insert into O;",
    "pattern": "from every a=S[n > 6] -> b=S[n > a.n] within 1 sec "
    "select a.k as k, a.n as n, b.n as m insert into O;",
    "pattern, keyed": "partition with (k of S) begin from every a=S[n > 4] -> b=S[n < 3] "
    "within 1 sec select a.k as k, a.n as n, b.n as m insert into O; end;",
    "sequence": "from every a=S, b=S[n > a.n]+, c=S[n < b[last].n] "
    "select a.n as n, b[last].n as peak, c.n as m insert into O;",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An application, its events `(ms, stream, row)` and the rows of its stream `of`."""

    app: str
    events: list[tuple[int, str, list[Any]]]
    of: str
    rows: list[list[Any]]


def _generated(name: str) -> Case:
    chance = random.Random(name)
    app, events, at = STREAMS + APPS[name], [], START
    for _ in range(120):
        at += chance.randrange(1, 300)
        key = chance.choice("abc" if name != "null" else ["a", "b", None])
        number = chance.choice([None, *range(10)] if name == "null" else range(10))
        if "from R" in app or ("join R" in app and chance.random() < 0.5):
            events.append((at, "R", [key, chance.randrange(40) / 4]))
        else:
            events.append((at, "S", [key, number, chance.randrange(40) / 4]))
    return Case(app, events, "O", _told(app, events))


def _told(app: str, events: list[tuple[int, str, list[Any]]]) -> list[list[Any]]:
    runtime, rows = Runtime(app, clock=Clock(START)), []
    runtime.subscribe("O", lambda _ts, came, _left: rows.extend(map(list, came)))
    for at, stream, row in events:
        runtime.advance(at)
        runtime.send(stream, [row], ts=at)
    runtime.advance(events[-1][0] + HOUR)
    return rows


def _of_a_page(app: str, text: str) -> Case:
    events, rows, at, of = [], [], START, ""
    for line in text.splitlines():
        if line.startswith("sleep "):
            at += int(line[6:])
        elif line.startswith("=> "):
            _, of, row = line.split(" ", 2)
            rows.append(json.loads(row))
        else:
            at += 1
            stream, row = line.split(" ", 1)
            events.append((at, stream, json.loads(row)))
    return Case(app, events, of, rows)


def _cases() -> dict[str, Case]:
    cases = {name: _generated(name) for name in APPS}
    for page in EXAMPLES:
        app, text = page.values
        if not translate(App.parse(app)).missing:
            cases[f"page {page.id}"] = _of_a_page(app, text)
    return cases


CASES = _cases()


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Any]]]:
    """The rows of every case from Flink, all in one cluster: it takes half a minute to start."""
    jobs = []
    for number, case in enumerate(CASES.values()):
        folder = tmp_path_factory.mktemp(f"job{number}")
        jobs.append(_job(case, folder))
    python = ROOT / ".venv" / "flink" / "bin" / "python"
    command = [str(python), str(Path(__file__).with_name("driver.py"))]
    ended = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    return dict(zip(CASES, told, strict=True))


def _job(case: Case, folder: Path) -> dict[str, Any]:
    app = App.parse(case.app)
    attributes = {
        d.id: [a.name for a in d.attributes]
        for d in app.syntax.definitions
        if isinstance(d, StreamDefinition)
    }
    for stream, names in attributes.items():
        lines = [
            json.dumps({**dict(zip(names, row, strict=True)), "rowtime": _written(at)})
            for at, of, row in case.events
            if of == stream
        ]
        (folder / stream).write_text("".join(f"{line}\n" for line in lines))
    statements = [
        re.sub(r"'path' = '(\w+)'", rf"'path' = '{folder}/\1'", statement)
        for statement in translate(app).statements
    ]
    names = ", ".join(f"`{a.name}`" for a in Runtime(app).attributes(case.of))
    return {"statements": statements, "query": f"SELECT {names} FROM `{case.of}`"}


def _written(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}.{at % 1000:03}Z"


@pytest.mark.parametrize("name", CASES)
def test_flink_gives_the_rows_of_this_engine(name: str, flink: dict[str, list[list[Any]]]) -> None:
    assert CASES[name].rows != []
    assert sorted(map(repr, flink[name])) == sorted(map(repr, CASES[name].rows))
