"""Share the time for trying decoders, so that nobody keeps the others waiting."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from moorage.kit.caller import Caller

from ..errors import TrialsTooMany, TrialTooLong

LIMIT_S: Final = 10.0
"""Wall time after which a trial is cut off."""
_SAVED_S: Final = 20.0
_BACK_PER_S: Final = 0.25
_AT_ONCE: Final = 2
_MOST_CALLERS: Final = 10_000


@dataclass(slots=True)
class _Account:
    left_s: float
    at_s: float
    running: int = 0


class Turns:
    """Lets each caller use 20 s of trials at once and a quarter of the time after that.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}

    @asynccontextmanager
    async def take(self, caller: Caller) -> AsyncIterator[None]:
        """Run one trial. Raises TrialsTooMany, TrialTooLong."""
        account = self._account(caller.id)
        if account.running >= _AT_ONCE or account.left_s <= 0:
            owed_s = max(1, math.ceil(-account.left_s / _BACK_PER_S))
            raise TrialsTooMany(retry_after_s=owed_s)
        account.running += 1
        started_s = self._clock()
        try:
            async with asyncio.timeout(LIMIT_S):
                yield
        except TimeoutError as over:
            raise TrialTooLong(limit_s=LIMIT_S) from over
        finally:
            account.running -= 1
            account.left_s -= self._clock() - started_s

    def _account(self, caller_id: UUID) -> _Account:
        now = self._clock()
        if len(self._accounts) > _MOST_CALLERS:
            self._accounts = {i: a for i, a in self._accounts.items() if a.running}
        account = self._accounts.setdefault(caller_id, _Account(_SAVED_S, now))
        account.left_s = min(_SAVED_S, account.left_s + (now - account.at_s) * _BACK_PER_S)
        account.at_s = now
        return account
