"""The command `moorage-flow`: run an application over a file, explain it, verify the engine."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import vectors
from .app import App
from .errors import EventInvalid, FlowError
from .runtime import Path as Path_
from .runtime import Row, Runtime


def main(arguments: list[str] | None = None) -> int:
    """Run the command; give its exit status: 1 for a failure, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="moorage-flow", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run an application over events")
    run.add_argument("app", type=Path)
    run.add_argument("--in", dest="events", type=Path, help="JSON lines; standard input without")
    run.add_argument(
        "--out",
        action="append",
        help="a query or stream to tell of; without, every stream nobody reads",
    )
    explain = commands.add_parser("explain", help="tell how an application's queries are run")
    explain.add_argument("app", type=Path)
    verify = commands.add_parser("verify", help="run conformance vectors")
    verify.add_argument("--path", choices=["reference", "columnar", "both"], default="reference")
    verify.add_argument("--known", type=Path, help="names of vectors that fail, one a line")
    verify.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "verify":
            return _verify(given.files, given.path, _names(given.known))
        runtime = Runtime(App.parse(given.app.read_text("utf-8")))
        if given.command == "explain":
            for name, path, reason in runtime.explain():
                sys.stdout.write(f"{name}: {path} ({reason})\n")
        elif given.events is None:
            _run(runtime, sys.stdin, given.out)
        else:
            with given.events.open(encoding="utf-8") as lines:
                _run(runtime, lines, given.out)
    except (FlowError, OSError) as error:
        sys.stderr.write(f"moorage-flow: {error}\n")
        return 1
    return 0


def _run(runtime: Runtime, lines: Iterable[str], wanted: list[str] | None) -> None:
    """Send each line's event at its own time, and write what comes out as JSON lines."""
    for name in wanted or runtime.ends():
        runtime.subscribe(name, _writer(runtime, name))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            stream, data, ts = event["stream"], event["data"], event.get("ts")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EventInvalid(
                f'line {number} is no event: {{"stream": …, "data": …, "ts": milliseconds}}'
            ) from None
        if isinstance(data, dict):
            data = [data.get(a.name) for a in runtime.attributes(stream)]
        if ts is not None and not runtime.flow.clock.event_time:
            runtime.advance(ts)
        runtime.send(stream, [data], ts=ts)


def _writer(runtime: Runtime, name: str) -> Callable[[int, list[Row], list[Row]], None]:
    names = [a.name for a in runtime.attributes(name)]

    def write(ts: int, came: list[Row], left: list[Row]) -> None:
        for word, rows in (("came", came), ("left", left)):
            for row in rows:
                told: dict[str, Any] = {
                    "from": name,
                    "ts": ts,
                    word: dict(zip(names, row, strict=True)),
                }
                sys.stdout.write(json.dumps(told, default=_plain) + "\n")

    return write


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _names(file: Path | None) -> set[str]:
    lines = file.read_text("utf-8").splitlines() if file is not None else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def _verify(files: list[Path], path: str, known: set[str]) -> int:
    """Run the vectors; a known failure is told and counted, one that passes is no longer known."""
    # What a vector's app logs is not what this command tells.
    logging.getLogger("moorage_flow").addHandler(logging.NullHandler())
    logging.getLogger("moorage_flow").propagate = False
    passed = failed = skipped = surprises = 0
    for file in files:
        for vector in vectors.load(file):
            problem, planned = _problem(vector, path)
            if not planned:
                skipped += 1
                continue
            name = vector["name"]
            surprises += (problem is None) == (name in known)
            if problem is None:
                passed += 1
                if name in known:
                    sys.stdout.write(f"{file.name}: {name}: passes, though known to fail\n")
            else:
                failed += 1
                word = "known, " if name in known else ""
                sys.stdout.write(f"{file.name}: {name}: {word}{problem}\n")
    sys.stdout.write(f"{passed} passed, {failed} failed, {skipped} skipped\n")
    return 1 if surprises else 0


def _problem(vector: dict[str, Any], path: str) -> tuple[str | None, bool]:
    """Give the first problem on a path or on both, and whether the vector runs on it at all."""
    wanted: tuple[Path_, ...] = ("columnar",) if path == "columnar" else ("reference",)
    if path == "both":
        wanted = ("reference", "columnar")
    for one in wanted:
        try:
            vectors.run(vector, one)
        except vectors.Unplanned:
            return None, path == "both"
        except vectors.Mismatch as error:
            return f"{one}: {error}" if path == "both" else str(error), True
        except Exception as error:
            # One vector's crash must not hide the others.
            logging.getLogger("moorage_flow").exception("flow_vector_crashed")
            return f"{type(error).__name__}: {error}", True
    return None, True
