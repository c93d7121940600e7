"""The command `moorage-flow`: run an application over a file, explain it, verify the engine."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, cast

from . import flink, vectors
from .app import App
from .codecs import FORMATS, Batch, EventMalformed, Shape, read, writer
from .errors import EventInvalid, FlowError, nearest
from .runtime import Path as Path_
from .runtime import Runtime


def main(arguments: list[str] | None = None) -> int:
    """Run the command; give its exit status: 1 for a failure, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="moorage-flow", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run an application over events")
    run.add_argument("app", type=Path)
    run.add_argument("--in", dest="events", default="-", help="a file, or - for standard input")
    run.add_argument("--format", choices=FORMATS, default="jsonl", help="that of the events")
    run.add_argument("--stream", help="all events are of this one: flat rows instead of envelopes")
    run.add_argument("--time", default="ts", help="the field or column of times, in milliseconds")
    run.add_argument("--batch", type=_count, default=1, help="events that are sent together")
    run.add_argument("--strict", action="store_true", help="stop at the first malformed event")
    run.add_argument(
        "--out",
        action="append",
        help="a query or stream to tell of; without, every stream nobody reads",
    )
    run.add_argument("--to", default="-", help="a file, or - for standard output")
    run.add_argument("--to-format", choices=FORMATS, default="jsonl", help="that of the rows")
    explain = commands.add_parser("explain", help="tell how an application's queries are run")
    explain.add_argument("app", type=Path)
    to_flink = commands.add_parser("to-flink", help="write an application as Flink SQL")
    to_flink.add_argument("app", type=Path)
    verify = commands.add_parser("verify", help="run conformance vectors")
    verify.add_argument("--path", choices=["reference", "columnar", "both"], default="reference")
    verify.add_argument("--known", type=Path, help="names of vectors that fail, one a line")
    verify.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "verify":
            return _verify(given.files, given.path, _names(given.known))
        app = App.parse(given.app.read_text("utf-8"))
        if given.command == "to-flink":
            return _to_flink(app)
        runtime = Runtime(app)
        if given.command == "explain":
            for name, path, reason in runtime.explain():
                sys.stdout.write(f"{name}: {path} ({reason})\n")
        else:
            with _opened(given.events, "rb") as file, _opened(given.to, "wb") as to:
                _settle()
                return _run(runtime, given, file, to)
    except (FlowError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"moorage-flow: {error}\n")
        return 1
    return 0


def _to_flink(app: App) -> int:
    """Write the statements, and what does not map to standard error; 1 where there is any."""
    translation = flink.translate(app)
    sys.stdout.write("".join(f"{statement}\n\n" for statement in translation.statements))
    for place, construct, reason in translation.missing:
        where = f"line {place.line}, column {place.column}: " if place.line else ""
        sys.stderr.write(f"moorage-flow: {where}{construct} does not map: {reason}\n")
    return 1 if translation.missing else 0


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


def _settle() -> None:
    """Have the garbage collector leave alone what is there, as long as the process lives: each time
    it looks at the libraries and the application again, events wait for 24 ms.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _opened(name: str, mode: str) -> Iterator[BinaryIO]:
    """Open a file; `-` is standard input or output."""
    if name == "-":
        standard = sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        yield standard
        standard.flush() if mode == "wb" else None
        return
    with Path(name).open(mode) as file:
        yield cast(BinaryIO, file)


def _run(runtime: Runtime, given: argparse.Namespace, file: BinaryIO, to: BinaryIO) -> int:
    """Send the events at their own times and write what comes out; 1 where some were malformed."""
    definitions = {name: stream.attributes for name, stream in runtime.streams.items()}
    if given.stream is not None and given.stream not in definitions:
        like = nearest(given.stream, definitions)
        raise EventInvalid(f"no stream is called {given.stream}{like}")
    malformed = 0

    def refused(error: EventMalformed) -> None:
        nonlocal malformed
        if given.strict:
            raise error
        malformed += 1
        sys.stderr.write(f"moorage-flow: {error}\n")

    shape = Shape(definitions, given.stream, given.time)
    told = {name: runtime.attributes(name) for name in given.out or runtime.ends()}
    with writer(given.to_format, to, told, time=given.time) as write:
        for name in told:
            if given.batch > 1 and runtime.columnar and name in runtime.streams:
                runtime.subscribe_columns(name, partial(write.columns, name))
            else:
                runtime.subscribe(name, partial(write.rows, name))
        for batch in read(given.format, file, shape, size=given.batch, refused=refused):
            _send(runtime, batch)
    return 1 if malformed else 0


def _send(runtime: Runtime, batch: Batch) -> None:
    """Send a batch; on a clock, events of one time together, after what is due before them."""
    if runtime.flow.clock.event_time:
        times = batch.times
        if isinstance(times, list):
            now = runtime.flow.clock.now
            times = [now if ts is None else ts for ts in times]
        runtime.send(batch.stream, batch.columns, ts=times)
        return
    batch = batch.lists()
    start = 0
    for ts, same in groupby(batch.times):
        end = start + len(list(same))
        if ts is not None:
            runtime.advance(ts)
        runtime.send(batch.stream, batch.cut(start, end).columns, ts=ts)
        start = end


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
