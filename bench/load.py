"""Runs a generator of load as a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Generic, Self, TypeVar

import msgspec

from bench.generator import Job, Result
from bench.installation import NotReady
from bench.swarm import Outcome, Task

_Job = TypeVar("_Job", bound=msgspec.Struct)
_Result = TypeVar("_Result", bound=msgspec.Struct)


class Process(Generic[_Job, _Result]):
    """A module of load as a process; its connections are open once it is made."""

    def __init__(self, module: str, job: _Job, result: type[_Result]) -> None:
        self._result = result
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        self._write(msgspec.json.encode(job))
        self._read()

    def start(self) -> None:
        """Let it begin."""
        self._write(b"go")

    def result(self) -> _Result:
        """Wait for the end."""
        return msgspec.json.decode(self._read(), type=self._result)

    def close(self) -> None:
        """Let the connections go."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                self._write(b"")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        """Be closed at the end of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def _read(self) -> bytes:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise NotReady("The generator ended; what it said stands above.")
        return line


class Load(Process[Job, Result]):
    """A generator: many devices."""

    def __init__(self, job: Job) -> None:
        super().__init__("bench.generator", job, Result)


class Swarm(Process[Task, Outcome]):
    """Many clients of a broker."""

    def __init__(self, task: Task) -> None:
        super().__init__("bench.swarm", task, Outcome)
