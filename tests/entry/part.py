"""A small real part for the supervisor's tests: `hang`s, `refuse`s, or follows the database."""

import asyncio
import sys
import time
from pathlib import Path

import psycopg

from moorage.entry.database import url_of
from moorage.entry.lifeline import lifeline
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


if sys.argv[1] == "refuse":
    sys.exit(2)
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
