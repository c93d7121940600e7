"""The command `moorage-flow`: run an application, explain it, verify the engine."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from . import vectors


def main(arguments: list[str] | None = None) -> int:
    """Run the command; give its exit status."""
    parser = argparse.ArgumentParser(prog="moorage-flow", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="run conformance vectors")
    verify.add_argument("--path", choices=["reference", "columnar", "both"], default="reference")
    verify.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    return _verify(given.files, given.path)


def _verify(files: list[Path], path: str) -> int:
    # What a vector's app logs is not what this command tells.
    logging.getLogger("moorage_flow").addHandler(logging.NullHandler())
    logging.getLogger("moorage_flow").propagate = False
    passed = failed = skipped = 0
    for file in files:
        for vector in vectors.load(file):
            if path == "columnar":
                skipped += 1
                continue
            try:
                vectors.run(vector)
            except Exception as error:
                failed += 1
                kind = "" if isinstance(error, vectors.Mismatch) else f"{type(error).__name__}: "
                sys.stdout.write(f"{file.name}: {vector['name']}: {kind}{error}\n")
            else:
                passed += 1
    sys.stdout.write(f"{passed} passed, {failed} failed, {skipped} skipped\n")
    return 1 if failed else 0
