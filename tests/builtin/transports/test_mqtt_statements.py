"""The table of the standards' statements names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = {
    **{
        name: ROOT / f"mqtt/tests/test_{name}.py"
        for name in ("codec", "rules", "server", "client", "topics", "broker", "state")
    },
    "door": ROOT / "tests/builtin/transports/test_mqtt.py",
    "lab": ROOT / "tests/builtin/transports/test_mqtt_lab.py",
}
ROW = re.compile(r"^\| MQTT-([\d.]+-\d+) \| .+ \| (\w+)\.(\w+) \|$", re.MULTILINE)


@pytest.mark.parametrize(("version", "count"), [("5.0", 249), ("3.1.1", 135)])
def test_every_statement_names_a_test_that_exists(version: str, count: int) -> None:
    text = (ROOT / "docs/mqtt-statements.md").read_text()
    section = text.partition(f"## MQTT {version}\n")[2].partition("\n## ")[0]
    rows = ROW.findall(section)
    assert len(rows) == section.count("| MQTT-")
    numbers = [number for number, _, _ in rows]
    assert len(set(numbers)) == len(numbers) >= count
    sources = {name: path.read_text() for name, path in FILES.items()}
    missing = [
        f"{module}.{name}"
        for _, module, name in rows
        if not re.search(rf"^(async )?def test_{name}\(", sources[module], re.MULTILINE)
    ]
    assert missing == []
