"""The process that the parts are forked from; it has imported what they need.

A part that imports the platform by itself spends 1.2 to 2.4 s of CPU on it. Forked from a process
that has done so it is there within milliseconds, and they share the memory of what was imported
(decision 50).

The fork server forks twice, and the supervisor is the subreaper (prctl(2)) of what is below it. So
a part is a child of the supervisor, which alone waits for it, and a fork server that is killed
takes no part along; another one follows it.

Packets on the socket between the two: the fork server sends `ready` once. A request is `fork` with
the descriptor of a file that holds the environment and the words of the command, and with one
more if the part shall have it. The answer is the part's process id, or `failed`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec
import setproctitle
import structlog

log = structlog.get_logger()

PR_SET_CHILD_SUBREAPER = 36
# How long importing may take, and forking.
FIRST_WORD_S = 60.0
ANSWER_S = 10.0
# Between two starts, so that one that cannot live does not keep the machine busy.
PAUSE_S = 1.0
READY, FORK, FAILED = b"ready", b"fork", b"failed"
LONGEST = 64
# What the parts import, and the migrations before them.
NEEDED = (
    "moorage.entry.api",
    "moorage.entry.cli_run",
    "moorage.entry.database",
    "moorage.entry.first_run",
    "moorage.entry.lifeline",
    "moorage.entry.listener",
    "moorage.entry.migrate",
    "moorage.entry.reload",
    "moorage.entry.worker",
    "uvloop",
)


class _Letter(msgspec.Struct):
    """What a part is made of."""

    environment: dict[bytes, bytes]
    words: list[str]


class Forked:
    """A child that was not started by `subprocess`; used like its `Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Give how it ended, None as long as it runs: its status, or less than 0 for a signal."""
        return self._code if self._code is not None else self._look(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end and tell how it ended."""
        while (code := self.poll()) is None:
            self._look(0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, options: int) -> int | None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self._code = os.waitstatus_to_exitcode(status)
        return self._code


class ForkServer:
    """The fork server as the supervisor sees it.

    Args:
        command: becomes the fork server by calling `serve` with the number that is appended.
        environment: what it is started with; parts get their own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = {
            **environment,
            # Numeric libraries would start threads, which a process that forks must not have.
            "OPENBLAS_NUM_THREADS": "1",
            # By the environment in /proc a part is known as one of this directory (entry.ports), so
            # its title takes the place of the command alone.
            "SPT_NOENV": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._is_ready = False
        self._started_at = -PAUSE_S
        _become_subreaper()

    @property
    def pid(self) -> int | None:
        """Its process id while there is one."""
        return self._process.pid if self._process else None

    def tend(self) -> bool:
        """Start one where there is none; tell whether it can be asked. Never waits."""
        if self._process is None:
            if time.monotonic() >= self._started_at + PAUSE_S:
                self._start()
        elif self._process.poll() is not None:
            log.warning("fork_server_ended", status=self._process.returncode)
            self.stop()
        elif not self._is_ready:
            self._hear()
        return self._is_ready

    def fork(
        self, words: Sequence[str], environment: Mapping[str, str], *passed: socket.socket
    ) -> Forked:
        """Have a process forked that runs `words`.

        Args:
            words: of its command.
            environment: all of it, but for the number of the descriptor passed.
            passed: at most one socket that it gets.

        Raises:
            OSError: none could be forked, or the fork server does not answer and is given up.
        """
        letter = _Letter(
            {os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
            list(words),
        )
        assert self._channel is not None
        try:
            with open(os.memfd_create("moorage"), "wb") as file:  # noqa: PTH123
                file.write(msgspec.msgpack.encode(letter))
                file.flush()
                sent = [file.fileno(), *(one.fileno() for one in passed)]
                socket.send_fds(self._channel, [FORK], sent)
            answer = self._channel.recv(LONGEST)
        except OSError:
            self.stop()
            raise
        if not answer.isdigit():
            raise OSError("no process could be forked")
        return Forked(int(answer))

    def stop(self) -> None:
        """End it; it has nothing to lose."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process, self._channel, self._is_ready = None, None, False

    def _start(self) -> None:
        self._started_at = time.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.suppress(OSError):  # No memory or process number to spare just now.
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        self._channel = ours

    def _hear(self) -> None:
        assert self._channel is not None
        with contextlib.suppress(BlockingIOError):
            self._is_ready = self._channel.recv(LONGEST) == READY
            self._channel.settimeout(ANSWER_S)
        if not self._is_ready and time.monotonic() > self._started_at + FIRST_WORD_S:
            log.warning("fork_server_silent", pid=self.pid)
            self.stop()


def serve(number: int, variable: str) -> list[str]:
    """Fork what is asked for on socket `number`; return in what was forked, with its words.

    In the fork server itself it does not return: it ends once the supervisor is gone.

    Args:
        number: of the inherited socket.
        variable: names the environment's variable for the number of the descriptor passed.
    """
    channel = socket.socket(fileno=number)
    channel.set_inheritable(False)
    gc.freeze()
    channel.send(READY)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(channel, LONGEST, 2)
        if asked != FORK:
            sys.exit()
        pid = _fork_twice()
        if pid == 0:
            channel.close()
            return _begin(variable, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(FAILED if pid is None else b"%d" % pid)


def _fork_twice() -> int | None:
    """Fork a process whose parent is gone; give 0 in it, and here its id, None if it failed."""
    reading, writing = os.pipe()
    try:
        between = os.fork()
    except OSError:
        between = -1
    if between == 0:
        with contextlib.suppress(OSError):
            pid = os.fork()
            if pid == 0:
                os.close(reading)
                os.close(writing)
                return 0
            os.write(writing, b"%d" % pid)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as told:  # noqa: PTH123
        answer = told.read()
    if between > 0:
        os.waitpid(between, 0)
    return int(answer) if answer else None


def _begin(variable: str, written: int, passed: int | None = None) -> list[str]:
    """Be a process of one's own: session, environment, title."""
    os.setsid()
    with open(written, "rb") as file:
        file.seek(0)
        letter = msgspec.msgpack.decode(file.read(), type=_Letter)
    # First, since the room for the title is found by where the environment lies.
    setproctitle.setproctitle(" ".join(["moorage", *letter.words]))
    os.environb.clear()
    os.environb.update(letter.environment)
    if passed is not None:
        os.environ[variable] = str(passed)
    return letter.words


def _become_subreaper() -> None:
    """Have whatever loses its parent below this process become its child."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main() -> None:
    """Import what parts need, then fork them; each runs its command as `moorage` would."""
    from moorage.entry import cli, lifeline

    gc.disable()  # What is loaded stays; to look for cycles meanwhile is a tenth of the time.
    for name in NEEDED:
        importlib.import_module(name)
    gc.enable()
    sys.argv = ["moorage", *serve(int(sys.argv[1]), lifeline.VARIABLE)]
    cli.main()


if __name__ == "__main__":
    main()
