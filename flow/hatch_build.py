"""Builds the kernels of the columnar path into the wheel: with zig where it is installed, else with
the C compiler.

Without either the wheel is pure Python and gives the same rows, slower. `KERNELS_FOR=aarch64` (or
`x86_64`) in the environment asks for the wheel of another Linux machine; there must be a compiler.
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
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "src/moorage_flow/columnar/kernels"
FLAGS = [
    "-std=c11",
    "-O3",
    "-fPIC",
    "-shared",
    "-s",
    "-ffp-contract=off",  # Fused operations would round otherwise than Python does.
]
LIBRARIES: dict[str, dict[str, list[str]]] = {
    "x86_64": {"kernels.so": [], "kernels_avx2.so": ["-mavx2", "-mpopcnt"]},
}
"""By machine the libraries and what they are compiled with besides: one for every processor, and
one for those that have more; the engine opens the one that fits.
"""

GLIBC = "2.17"
"""The oldest C library a wheel built with zig runs on, that of manylinux2014."""


class KernelsHook(BuildHookInterface[Any]):
    """Compiles `*.c` into libraries beside them."""

    made: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel is of this platform. Called by hatchling."""
        asked = os.environ.get("KERNELS_FOR") or platform.machine()
        foreign = asked != platform.machine()
        compiler = _compiler(asked, foreign=foreign)
        if compiler is None:
            return
        folder = Path(self.root, FOLDER)
        # Another machine's must not take the place of this machine's, which an editable
        # installation loads from beside the sources.
        self.made = tempfile.TemporaryDirectory() if foreign else None
        sources = sorted(str(path) for path in folder.glob("*.c"))
        for name, more in LIBRARIES.get(asked, {"kernels.so": []}).items():
            library = Path(self.made.name if self.made else folder, name)
            subprocess.run([*compiler, *FLAGS, *more, "-o", str(library), *sources], check=True)
            if foreign:
                build_data["force_include"][str(library)] = f"{FOLDER.removeprefix('src/')}/{name}"
            else:
                build_data["artifacts"].append(f"{FOLDER}/{name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(compiler, asked, foreign=foreign)}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for another machine. Called by hatchling."""
        if self.made is not None:
            self.made.cleanup()


def _compiler(machine: str, *, foreign: bool) -> list[str] | None:
    """Give the command that compiles C for `machine`; None where there is none.

    Raises:
        RuntimeError: another machine than this is asked for, and nothing compiles for it.
    """
    if given := os.environ.get("CC"):
        return shlex.split(given)
    if sys.platform == "linux" and importlib.util.find_spec("ziglang") is not None:
        target = f"{machine}-linux-gnu.{GLIBC}"
        return [sys.executable, "-m", "ziglang", "cc", "-target", target]
    if foreign:
        raise RuntimeError(f"kernels for {machine} need ziglang, or a compiler for it as CC")
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return None if found is None else [found]


def _platform(compiler: list[str], machine: str, *, foreign: bool) -> str:
    if "ziglang" in compiler:
        return f"manylinux_{GLIBC.replace('.', '_')}_{machine}"
    if foreign:
        return f"linux_{machine}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
