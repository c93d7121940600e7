"""Questions that are asked together: a fleet that comes back asks thousands at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from moorage.kit.db import DatabaseUnavailable

Q = TypeVar("Q")
A = TypeVar("A")
_MOST = 200


class Gathering(Generic[Q, A]):
    """Asks one batch after the other; what is asked meanwhile makes the next.

    Args:
        answer: answers a batch, in its order.
        longest_s: how long somebody waits for his answer, and after which a batch is left behind: a
            database that hangs cannot be asked to let go.
    """

    def __init__(
        self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], longest_s: float
    ) -> None:
        self._answer = answer
        self._longest_s = longest_s
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Ask; raises what `answer` does, and DatabaseUnavailable if that takes too long."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        try:
            await asyncio.wait([answer], timeout=self._longest_s)
            if not answer.done():
                raise DatabaseUnavailable
            return answer.result()
        finally:
            answer.cancel()  # Nobody waits for it any more.

    async def _work(self) -> None:
        try:
            while waiting := [one for one in self._waiting if not one[1].done()]:
                batch, self._waiting = waiting[:_MOST], waiting[_MOST:]
                asked = asyncio.create_task(self._ask(batch))
                self._batches.add(asked)
                asked.add_done_callback(self._batches.discard)
                await asyncio.wait([asked], timeout=self._longest_s)
            self._waiting = []
        finally:
            self._working = None

    async def _ask(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer([question for question, _ in batch])
        except Exception as failed:  # Of any kind: it is for those who asked.
            if len(batch) == 1 or isinstance(failed, DatabaseUnavailable):
                _fail(batch, failed)
                return
            for one in batch:  # Nobody's question may keep the others from their answers.
                await self._ask([one])
            return
        for (_, answer), told in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(told)


def _fail(batch: Sequence[tuple[Q, asyncio.Future[A]]], failed: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(failed)
