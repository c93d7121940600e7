"""`moorage decoder` works without a server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """function decodeUplink(input) {
  console.log("port", input.fPort);
  if (input.bytes.length === 0)
    throw new Error("empty");
  return {data: {t: input.bytes[0] / 10}, warnings: ["cold"]};
}
function encodeDownlink(input) { return {bytes: [input.data.x], fPort: 7}; }
"""


def moorage(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "moorage", "decoder", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.js"
    path.write_text(SCRIPT)
    return path


def test_run_shows_document_and_readings(script: Path) -> None:
    done = moorage("run", script, "--port", "3", "--bytes", "ff")

    assert done.returncode == 0
    shown = json.loads(done.stdout)
    assert shown["document"] == {"t": 25.5}
    assert shown["readings"][0]["values"] == {"t": 25.5}
    assert "port 3" in done.stderr
    assert "cold" in done.stderr


def test_run_encodes(script: Path) -> None:
    done = moorage("run", script, "--encode", '{"x": 9}')

    assert (done.returncode, json.loads(done.stdout)) == (0, {"bytes": "09", "fPort": 7})


def test_run_gives_decode_the_message_and_the_device(tmp_path: Path) -> None:
    path = tmp_path / "os2iot.js"
    path.write_text(
        "function decode(payload, metadata) { return {n: metadata.name, x: payload.x} }"
    )

    done = moorage("run", path, "--bytes", '{"x": 4}', "--metadata", '{"name": "Room"}')

    assert json.loads(done.stdout)["document"] == {"n": "Room", "x": 4}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--bytes", ""], "Error: empty (line 4)"),
        (["--bytes", "xyz"], "--bytes must be hex"),
        (["--bytes", "00", "--metadata", "{"], "--metadata must be JSON"),
    ],
)
def test_run_says_what_is_wrong(script: Path, words: list[str], says: str) -> None:
    done = moorage("run", script, *words)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_test_prints_the_first_difference_and_fails(script: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text("""[
      {"name": "good", "input": {"bytes": [0x0a]},
       "expected": {"data": {"t": 1}, "warnings": ["cold"]}},
      {"name": "bad", "input": {"bytes": [20]}, "expected": {"data": {"t": 3}}}, // wrong on purpose
      {"name": "command", "input": {"data": {"x": 1}}, "expected": {"bytes": [1], "fPort": 7}},
    ]""")

    done = moorage("test", script, cases)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "ok   good",
        "FAIL bad",
        "     data.t: expected 3, got 2",
        "ok   command",
        "2 passed, 1 failed",
    ]
