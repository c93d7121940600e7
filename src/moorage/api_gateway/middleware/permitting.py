"""Requests that the external policy decision point permits, as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Send

from moorage.kit.caller import Caller
from moorage.kit.decisions import DecisionPoint
from moorage.kit.errors import MoorageError

from .. import service

# Whoever signed in may sign out, whatever the policies of the installation say.
ALWAYS = frozenset({"/api/v1/auth/sign-out", "/api/v1/auth/single-sign-on/sign-out"})
ASKED_EVERY_S = 1.0
_ENDED = b"event: ended\ndata: {}\n\n"


async def ask(
    point: DecisionPoint | None,
    caller: Caller | None,
    method: str,
    path: str,
    query: bytes,
    address: str,
) -> None:
    """Ask about a request of somebody, but not about signing out.

    Raises:
        AccessDenied, DecisionMissing.
    """
    if point is None or caller is None or path in ALWAYS:
        return
    await point.require(service.question(caller, method, path, query.decode("latin-1"), address))


async def answer(
    work: Awaitable[None],
    every_s: float,
    is_feed: Callable[[], bool],
    still: Callable[[], Awaitable[None]],
    send: Send,
) -> None:
    """Answer, and end a feed when what it shows is no longer permitted.

    Args:
        work: answers.
        every_s: how often is asked again.
        is_feed: tells whether the answer that has begun is a feed.
        still: raises what `ask` raises.
        send: takes the end of the answer.
    """
    answering = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({answering}, timeout=every_s))[0]:
            if not is_feed():
                continue
            try:
                await still()
            except MoorageError:
                if answering.cancel():
                    await asyncio.gather(answering, return_exceptions=True)
                    await send({"type": "http.response.body", "body": _ENDED})
                return
        await answering
    finally:
        if answering.cancel():
            await asyncio.gather(answering, return_exceptions=True)
