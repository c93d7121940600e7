"""Builds the kernels of the columnar path into the wheel: with zig where it is installed, else with
the C compiler.

Without either the wheel is pure Python and gives the same rows, slower.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "src/moorage_flow/columnar/kernels"
FLAGS = [
    "-std=c11",
    "-O3",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",  # Fused operations would round otherwise than Python does.
]
GLIBC = "2.17"
"""The oldest C library a wheel built with zig runs on, that of manylinux2014."""


class KernelsHook(BuildHookInterface[Any]):
    """Compiles `*.c` into one library beside them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel is of this platform. Called by hatchling."""
        compiler = _compiler()
        if compiler is None:
            return
        folder = Path(self.root, FOLDER)
        library = folder / "kernels.so"
        sources = sorted(str(path) for path in folder.glob("*.c"))
        subprocess.run([*compiler, *FLAGS, "-o", str(library), *sources], check=True)
        build_data["artifacts"].append(f"{FOLDER}/kernels.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(compiler)}"


def _compiler() -> list[str] | None:
    """Give the command that compiles C; None where there is none."""
    if given := os.environ.get("CC"):
        return shlex.split(given)
    if sys.platform == "linux" and importlib.util.find_spec("ziglang") is not None:
        target = f"{platform.machine()}-linux-gnu.{GLIBC}"
        return [sys.executable, "-m", "ziglang", "cc", "-target", target]
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return None if found is None else [found]


def _platform(compiler: list[str]) -> str:
    if "ziglang" in compiler:
        return f"manylinux_{GLIBC.replace('.', '_')}_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
