"""Every example of docs/flow is run."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest
from apps import Running

PAGES = sorted((Path(__file__).parents[2] / "docs" / "flow").glob("*.md"))
EXAMPLE = re.compile(r"```siddhi\n(.*?)```(?:\n```events\n(.*?)```)", re.DOTALL)
EXAMPLES = [
    pytest.param(app, events, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (app, events) in enumerate(EXAMPLE.findall(page.read_text("utf-8")), 1)
]


def test_every_application_of_the_pages_has_its_events() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert len(EXAMPLES) == text.count("```siddhi\n") > 20


@pytest.mark.parametrize(("app", "events"), EXAMPLES)
def test_an_example_tells_what_its_page_says(app: str, events: str) -> None:
    running = Running(app)
    answer: list[list[object]] = []
    wanted: list[tuple[str, str, list[object]]] = []

    def settle() -> None:
        assert running.told == wanted
        running.told.clear()
        wanted.clear()

    for line in events.splitlines():
        if (row := re.fullmatch(r"(=>|<=) (\w+) (\[.*\])", line)) is not None:
            wanted.append((row[1], row[2], json.loads(row[3])))
        elif line.startswith("= "):
            assert answer.pop(0) == json.loads(line[2:])
        else:
            settle()
            assert answer == []
            if line.startswith("ask "):
                answer = [list(row) for row in running.runtime.query(line[4:])]
            elif line.startswith("sleep "):
                running.sleep(int(line[6:]))
            else:
                sent = re.fullmatch(r"(\w+) (\[.*\])(?: at (\d+))?", line)
                assert sent is not None, line
                running.send(sent[1], json.loads(sent[2]), at=int(sent[3]) if sent[3] else None)
    settle()
    assert answer == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_gives_what_it_shows(page: Path) -> None:
    text = page.read_text("utf-8").replace("```\n", "\n")
    parsed = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    told: list[str] = []
    results = doctest.DocTestRunner().run(parsed, out=told.append)
    assert results.failed == 0, "".join(told)
