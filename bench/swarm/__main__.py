"""Do one task (see the package)."""

from __future__ import annotations

import sys

import msgspec

from bench.swarm import Task
from bench.swarm.clocked import acknowledged, paced
from bench.swarm.coming import connect
from bench.swarm.publishing import publish

_MODES = {"publish": publish, "paced": paced, "acknowledged": acknowledged, "connect": connect}


def main() -> None:
    """Do the task on standard input."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    work = _MODES[task.mode](task)
    next(work)
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(msgspec.json.encode(next(work)).decode() + "\n")
    sys.stdout.flush()
    # The connections stay until the asker has looked at the broker under them.
    sys.stdin.readline()


if __name__ == "__main__":
    main()
