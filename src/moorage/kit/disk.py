"""How full a disk is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """Room on the file system that holds a path.

    Attributes:
        used_share: 0 to 1, of what an ordinary user can use (as `df` shows it).
        free_bytes: what an ordinary user can still write.
    """

    used_share: float
    free_bytes: int


def measure(path: Path) -> Disk:
    """Measure the file system of `path`; a few microseconds."""
    found = os.statvfs(path)
    used = found.f_blocks - found.f_bfree
    usable = used + found.f_bavail
    return Disk(used / usable if usable else 1.0, found.f_bavail * found.f_frsize)
