"""One case on both engines: what each told, and where that first differs."""

from __future__ import annotations

import json
import math
import os
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any

from moorage_flow import AppInvalid, Clock, Runtime
from moorage_flow.errors import FlowError

Case = dict[str, Any]
"""An application, the query that is listened to, and steps, each a list: `send` with a stream and
rows of a time and values, `ask` with an on-demand query, `save`, and `load` of what was saved.
"""

Told = list[list[Any]] | None
"""For each call the rows that came and those that left; for each question its rows and None, or
None twice where it was refused. None: the application is refused.
"""


def ours(case: Case) -> Told:
    """Run a case on the reference path."""
    told: list[list[Any]] = []

    def begin() -> Runtime:
        runtime = Runtime(case["app"], clock=Clock(0), path="reference")
        runtime.subscribe(
            case["query"], lambda _at, came, left: told.append([_plain(came), _plain(left)])
        )
        runtime.start()
        return runtime

    try:
        runtime = begin()
    except AppInvalid:
        return None
    saved = b""
    for what, *given in case["steps"]:
        if what == "send":
            stream, rows = given
            runtime.send(stream, [row for _, row in rows], ts=[at for at, _ in rows])
        elif what == "ask":
            try:
                told.append([_plain(runtime.query(given[0])), None])
            except FlowError:
                told.append([None, None])
        elif what == "save":
            saved = runtime.snapshot()
        else:
            runtime = begin()
            runtime.restore(saved)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def theirs(cases: list[Case], made: Path, jars: str) -> list[Told]:
    """Run cases on Siddhi, compiling the program that drives it into `made`."""
    source = Path(__file__).parents[1] / "rivals" / "SiddhiRows.java"
    subprocess.run(["javac", "-proc:none", "-cp", jars, "-d", str(made), str(source)], check=True)
    (made / "cases").write_text("".join(json.dumps(case) + "\n" for case in cases))
    command = ["java", "-cp", os.pathsep.join([str(made), jars]), "SiddhiRows", str(made / "cases")]
    with (made / "log").open("w") as log:
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=log, text=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def first(left: Told, right: Told) -> tuple[Any, Any] | None:
    """Give what differs first; how rows are spread over calls, and the order of the rows of a
    question, do not count.
    """
    if left is None or right is None:
        return None if left is right else (left and left[:1], right and right[:1])
    for kind in (0, 1):
        pair = [
            [row for call in told if call[1] is not None for row in call[kind]]
            for told in (left, right)
        ]
        for one, other in zip_longest(*pair):
            if one is None or other is None or not _same(one, other):
                return one, other
    asked = [[call[0] for call in told if call[1] is None] for told in (left, right)]
    for one, other in zip(*asked, strict=True):
        if one is None or other is None:
            if one is not other:
                return one, other
        elif not _same(sorted(one, key=str), sorted(other, key=str)):
            return one, other
    return None


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, float) and isinstance(right, float | int):
        return math.isclose(left, right, rel_tol=1e-6) or (math.isnan(left) and math.isnan(right))
    return bool(left == right)
