"""Plugins that strangers install beside the server, good and bad."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from moorage.kit import plugins

MODULE = """
from moorage.plugin import Decoded, FunctionRuntime

good = FunctionRuntime("good", lambda message: Decoded(b"{}"))

class Newer:
    api_version = 7
    decode = encode = outline = close = None

class Poor:
    decode = None

newer, poor = Newer(), Poor()
"""
ENTRY_POINTS = """
[moorage.decoders]
good = acme_plugins:good
newer = acme_plugins:newer
poor = acme_plugins:poor
gone = acme_plugins:gone
broken = acme_broken:thing
json = acme_plugins:good
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Install a distribution as pip would."""
    about = tmp_path / "acme-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "acme_plugins.py").write_text(MODULE)
    (tmp_path / "acme_broken.py").write_text("raise OSError('no such device')")
    return tmp_path


def test_bad_plugins_are_named_and_left_out_and_the_others_work(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    found = plugins.find("moorage.decoders")
    assert found.distributions["good"] == "acme 1.2"
    assert {"json", "cbor", "javascript"} <= found.plugins.keys()
    reasons = {one.name: one.reason for one in found.bad}
    assert set(reasons) == {"newer", "poor", "gone", "broken", "json"}
    assert "interface 7" in reasons["newer"]
    assert reasons["poor"] == "it lacks encode, outline, close"
    assert "no such device" in reasons["broken"]
    assert "name already" in reasons["json"]


def test_the_command_line_lists_them(installed: Path) -> None:
    command = [sys.executable, "-m", "moorage.entry.cli", "plugins", "--json"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    rows = {(row["kind"], row["name"], row["from"]): row for row in json.loads(done.stdout)}
    assert rows["moorage.decoders", "good", "acme 1.2"]["left out"] == ""
    assert "lacks" in rows["moorage.decoders", "poor", "acme 1.2"]["left out"]
    assert ("moorage.logs", "postgresql") in {key[:2] for key in rows}
