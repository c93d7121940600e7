"""Forks small real parts for the supervisor's tests.

One `hang`s, one `refuse`s, one says `welcome`, one does `nothing`; others follow the database.
"""

import asyncio
import sys
import time
from pathlib import Path

import psycopg

from moorage.entry import fork_server
from moorage.entry.database import url_of
from moorage.entry.lifeline import VARIABLE, lifeline
from moorage.entry.settings import read


async def main(kind: str, end: Path) -> None:
    async with lifeline() as line:
        if kind == "hang":
            line.ready()
            time.sleep(600)  # noqa: ASYNC251
        url = url_of(read().settings)
        while not line.stop.is_set():
            try:
                async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
                    line.ready()
            except psycopg.OperationalError:
                line.waiting("the database does not answer")
            try:
                await asyncio.wait_for(line.stop.wait(), 0.1)
            except TimeoutError:
                continue
        end.write_text("stopped in peace")  # noqa: ASYNC240


kind, *ends = fork_server.serve(int(sys.argv[1]), VARIABLE)
if kind == "refuse":
    sys.exit(2)
elif kind == "welcome":
    Path(ends[0]).touch()
elif kind != "nothing":
    asyncio.run(main(kind, Path(ends[0])))
