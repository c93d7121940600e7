"""A part's tie to its supervisor: heartbeats out, the order to stop in.

Under `moorage run` it is a socket inherited from the supervisor: the part writes a line a second,
and when the socket closes (the supervisor was killed) the part stops too. A part started by hand
has no supervisor and just heeds signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable

from moorage.entry.settings import Settings

VARIABLE = "MOORAGE_SUPERVISOR_FD"
BEAT_S = 1.0
# Once the supervisor is gone, a part that cannot end within this time ends without asking.
LAST_BREATH_S = 10.0


class Lifeline:
    """What a part tells its supervisor, and learns from it.

    Attributes:
        stop: set when the part shall end: a signal, or no supervisor any more.
        reload: set when the part shall read its settings again: SIGUSR1.
        adjusted: what takes on the settings that were read again.
    """

    def __init__(self, channel: socket.socket | None) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()
        self.adjusted: list[Callable[[Settings], None]] = []
        self._channel = channel
        self._line = "waiting starting"

    def ready(self) -> None:
        """Say that the part does its work."""
        self._say("ready")

    def waiting(self, why: str) -> None:
        """Say that the part lives but cannot work, and what is missing."""
        self._say(f"waiting {' '.join(why.split())}")

    def beat(self) -> None:
        """Say again how things are; silence is taken for a hung process."""
        if self._channel is not None:
            # A full buffer means that the supervisor is the one who hangs; a closed one, that it
            # is gone, which the watcher sees.
            with contextlib.suppress(OSError):
                self._channel.send(self._line.encode() + b"\n", socket.MSG_DONTWAIT)

    def _say(self, line: str) -> None:
        if line != self._line:
            self._line = line
            self.beat()


@contextlib.asynccontextmanager
async def lifeline() -> AsyncIterator[Lifeline]:
    """Tie this process to its supervisor for the length of the block.

    The block waits for `stop`, then leaves in its own time. SIGTERM and SIGINT set `stop` too.
    """
    number = os.environ.pop(VARIABLE, None)
    channel = socket.socket(fileno=int(number)) if number else None
    line = Lifeline(channel)
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, line.stop.set)
    loop.add_signal_handler(signal.SIGUSR1, line.reload.set)
    if channel is not None:
        channel.set_inheritable(False)
        threading.Thread(target=_watch, args=(channel, loop, line.stop), daemon=True).start()
    beats = asyncio.create_task(_beat(line))
    try:
        yield line
    finally:
        beats.cancel()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)


async def _beat(line: Lifeline) -> None:
    while True:
        line.beat()
        await asyncio.sleep(BEAT_S)


def _watch(
    channel: socket.socket, loop: asyncio.AbstractEventLoop, stop: asyncio.Event
) -> None:  # A thread, so that a loop that no longer turns cannot keep an orphan alive.
    with contextlib.suppress(OSError):
        while channel.recv(1):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)
    time.sleep(LAST_BREATH_S)
    os._exit(1)
