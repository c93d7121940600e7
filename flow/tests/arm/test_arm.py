"""The wheel for ARM64, under emulation: `make test-arm`.

The machine is Debian's ARM64 Python run by QEMU; what is measured here is sameness, not speed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("program.py")


def on_arm(wheel: Path, *, pure: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the program by ARM64's Python; `pure` leaves the wheel's kernels out."""
    return subprocess.run(
        [str(ROOT / "scripts/arm-python"), str(wheel), str(PROGRAM)],
        env=os.environ | ({"PURE": "1"} if pure else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def answer(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="session")
def wheel() -> Path:
    """Give the wheel that `make test-arm` has built."""
    (found,) = (ROOT / ".cache/arm64").glob("*.whl")
    return found


def test_the_wheel_is_for_every_linux_on_arm64_since_2014(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-manylinux_2_17_aarch64.whl")


def test_rows_and_snapshots_are_those_of_this_machine_byte_for_byte(wheel: Path) -> None:
    here = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=True)
    _, _, told, read = json.loads(here.stdout)

    assert all(rows for rows, _ in told)
    assert answer(on_arm(wheel)) == ["aarch64", True, told, read]
    assert answer(on_arm(wheel, pure=True)) == ["aarch64", False, told, read]
