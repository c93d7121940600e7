"""docs/security.md: each number of its table names a test that is there; no door is left out."""

from __future__ import annotations

import re
from pathlib import Path

from moorage.api_gateway.middleware import PUBLIC

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs/security.md").read_text()
DOORS = DOC.partition("\n## Doors")[2].partition("\n## ")[0]
TABLE = [line for line in DOORS.splitlines() if line.startswith("| ")]
LISTED = {
    int(number): (file, name)
    for file, tests in re.findall(r"^- `(tests/[\w/]+\.py)`: (.*)$", DOORS, re.M)
    for number, name in re.findall(r"\[(\d+)\] `(\w+)`", tests)
}


def test_every_test_that_the_table_names_is_there() -> None:
    assert len(LISTED) > 100
    for file, name in LISTED.values():
        text = (ROOT / file).read_text()
        assert re.search(rf"^(async )?def {name}\(", text, re.M), f"{file} has no {name}"


def test_every_number_of_the_table_has_one_test_and_every_test_a_cell() -> None:
    used = {int(number) for line in TABLE for number in re.findall(r"\[(\d+)\]", line)}
    assert used == set(LISTED)
    assert len(set(LISTED.values())) == len(LISTED)
    assert len(re.findall(r"\[\d+\] `test_", DOORS)) == len(LISTED)


def test_every_row_answers_each_case() -> None:
    for line in TABLE:
        assert line.count("|") == TABLE[0].count("|"), line


def test_every_path_that_asks_for_no_credential_is_told() -> None:
    told = set(re.findall(r"`(/[\w./{}-]+)`", DOORS))
    assert told >= PUBLIC, PUBLIC - told
