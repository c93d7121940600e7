"""Start the parts in order, watch over them, start again what dies, and stop them in order.

One thread and one loop. Parts are forked from a process that has imported this same program
(`entry.fork_server`); each writes heartbeats on a socket (`entry.lifeline`). The embedded
PostgreSQL is watched by its process and its ready mark.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psycopg
import structlog

from moorage.entry import postgres, state
from moorage.entry.fork_server import Forked, ForkServer
from moorage.entry.state import PartState
from moorage.kit import disk
from moorage.kit.errors import Kind, MoorageError

log = structlog.get_logger()

TICK_S = 0.2
HOUSEKEEPING_S = 10.0
FIRST_BEAT_S = 60.0
SILENCE_S = 20.0
STOP_S = 20.0
HARD_STOP_S = 3.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
# A part that held out this long starts its pauses from the beginning.
STEADY_S = 60.0
# A command ends with this for a failure that trying again cannot mend.
REFUSED = 2


class PartRefused(MoorageError):
    """A part cannot start and trying again would not help."""

    kind = Kind.CONFLICT
    code = "supervisor.part_refused"
    message = "`{name}` could not start; its message is above."


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        environment: of every part; the database's URL is added when it is embedded.
        database: starts the embedded server; None with an outside one.
        fork_server: the command of the process that all commands are forked from.
        prepare: a command that has to succeed before the parts start (the migrations).
        parts: name and command of each.
        welcome: a command that runs once, as soon as everything works.
        wishes: of parts that run only as long as a file is there, that file.
        warn_share: used share of the disk from which a warning is logged.
    """

    data_dir: Path
    environment: Mapping[str, str]
    database: Callable[[], postgres.Server] | None
    fork_server: Sequence[str]
    prepare: Sequence[str]
    parts: Mapping[str, Sequence[str]]
    welcome: Sequence[str]
    wishes: Mapping[str, Path] = field(default_factory=dict)
    warn_share: float = 0.85
    silence_s: float = SILENCE_S


@dataclass
class _Child:
    """A part as the supervisor sees it."""

    name: str
    state: PartState = PartState.STOPPED
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    why: str = ""
    restarts: int = -1
    process: Forked | None = None
    channel: socket.socket | None = None
    heard: bytes = b""
    deadline: float = 0.0
    start_at: float = 0.0
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S

    def come(self, new: PartState, why: str = "") -> bool:
        """Take on a state; tell whether anything changed."""
        if (new, why) == (self.state, self.why):
            return False
        if new is not self.state:
            self.since = datetime.now(UTC)
        self.state, self.why = new, why
        return True


class Supervisor:
    """The running platform of one data directory, whose lock the caller holds."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._environment = dict(plan.environment)
        self._started_at = datetime.now(UTC)
        self._selector = selectors.DefaultSelector()
        self._signals, self._wake = socket.socketpair()
        self._stops_asked = 0
        self._database = _Child("postgres") if plan.database else None
        self._server: postgres.Server | None = None
        self._fork_server = ForkServer(plan.fork_server, plan.environment)
        self._preparing = _Child("migrate")
        self._prepared = False
        self._children = [_Child(name) for name in plan.parts]
        self._announced = False
        self._written: state.State | None = None
        self._housekeeping_at = 0.0
        self._disk_low = False
        self._abandoned = False

    def run(self) -> None:
        """Supervise until a signal asks to stop.

        Raises:
            PartRefused: a part cannot start as things are configured.
            MoorageError: the database cannot start.
        """
        handlers = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        handlers[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._on_reload)
        self._signals.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._signals, selectors.EVENT_READ)
        try:
            while not self._stops_asked:
                self._tick()
                self._listen(TICK_S)
        finally:
            self._stop()
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._selector.close()
            self._signals.close()
            self._wake.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stops_asked += 1
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        """Have every part read its settings again."""
        for child in self._children:
            # One that only starts now has not taken the signal over yet and would end by it; it
            # reads its settings anyway.
            if child.state in (PartState.READY, PartState.WAITING):
                _kill(child, signal.SIGUSR1)

    # --- One turn ----------------------------------------------------------

    def _tick(self) -> None:
        self._tend_database()
        self._fork_server.tend()
        if self._database is None or self._prepared or self._database.state is PartState.READY:
            if not self._prepared:
                self._tend_preparation()
            else:
                for child in self._children:
                    if self._is_wanted(child):
                        self._tend(child)
                    else:
                        self._let_go(child)
        self._housekeep()
        self._reap()
        self._publish()
        if not self._announced and self._all_ready() and self._fork_server.tend():
            self._announced = True
            with contextlib.suppress(OSError):  # `moorage user link` makes another one.
                self._fork_server.fork(self._plan.welcome, self._environment)

    def _all_ready(self) -> bool:
        return self._prepared and all(
            child.state is PartState.READY for child in self._everything()
        )

    def _everything(self) -> list[_Child]:
        parts = [child for child in self._children if child.process or self._is_wanted(child)]
        return [*([self._database] if self._database else []), *parts]

    def _is_wanted(self, child: _Child) -> bool:
        wish = self._plan.wishes.get(child.name)
        return wish is None or wish.exists()

    def _tend_database(self) -> None:
        child = self._database
        if child is None or self._plan.database is None:
            return
        try:
            if self._server is None:
                if time.monotonic() >= child.start_at:
                    self._server = self._plan.database()
                    self._mark_started(child)
                    self._environment["MOORAGE_DATABASE_URL"] = self._server.url
            elif not self._server.ready():
                return
            elif child.state is PartState.READY:
                _ease(child)
            else:
                # It may end again this very moment; then the next turn sees it.
                with contextlib.suppress(psycopg.Error):
                    self._server.ensure_database()
                    self._change(child, PartState.READY)
        except (MoorageError, OSError) as failed:
            self._server = None
            if not self._prepared:  # It never worked, so trying again would not help.
                raise
            self._pause(child, str(failed))

    def _tend_preparation(self) -> None:
        child = self._preparing
        if child.process is None:
            if time.monotonic() >= child.start_at and self._fork_server.tend():
                self._fork(child, self._plan.prepare)
        elif (code := child.process.poll()) is not None:
            child.process = None
            if code == 0:
                self._prepared = True
                self._change(child, PartState.STOPPED)
            elif code == REFUSED:
                raise PartRefused(name=child.name)
            else:
                self._pause(child, _ending(code))

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at and self._fork_server.tend():
                self._start(child)
        elif (code := child.process.poll()) is not None:
            self._hear(child)
            self._bury(child)
            if code == REFUSED and not self._announced:
                raise PartRefused(name=child.name)
            self._pause(child, _ending(code))
        elif now > child.deadline:
            log.warning("part_silent", name=child.name, pid=child.process.pid)
            _kill_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
        elif child.state is PartState.READY:
            _ease(child)

    def _let_go(self, child: _Child) -> None:
        """End a part that is wanted no longer."""
        if child.process is None:
            child.start_at, child.pause_s = 0.0, FIRST_PAUSE_S
            self._change(child, PartState.STOPPED)
        elif child.process.poll() is not None or time.monotonic() > child.deadline:
            self._bury(child)
        elif child.state is not PartState.STOPPED:
            child.deadline = time.monotonic() + STOP_S
            self._change(child, PartState.STOPPED)
            _kill(child, signal.SIGTERM)

    def _start(self, child: _Child) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._fork(child, self._plan.parts[child.name], theirs)
        if child.process is None:
            ours.close()
            return
        child.channel, child.heard = ours, b""
        self._selector.register(ours, selectors.EVENT_READ, child)
        child.deadline = child.started_at + max(FIRST_BEAT_S, self._plan.silence_s)

    def _fork(self, child: _Child, words: Sequence[str], *passed: socket.socket) -> None:
        try:
            child.process = self._fork_server.fork(words, self._environment, *passed)
        except OSError as failed:  # No memory or process number to spare just now.
            self._pause(child, str(failed))
        else:
            self._mark_started(child)

    def _mark_started(self, child: _Child) -> None:
        child.started_at = time.monotonic()
        child.restarts += 1
        self._change(child, PartState.STARTING)

    def _pause(self, child: _Child, why: str) -> None:
        """Wait before the next start, longer each time."""
        child.start_at = time.monotonic() + child.pause_s
        log.warning("part_ended", name=child.name, why=why, restart_in_s=child.pause_s)
        child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
        self._change(child, PartState.RESTARTING, why)

    def _change(self, child: _Child, new: PartState, why: str = "") -> None:
        if child.come(new, why):
            log.info("part_state", name=child.name, state=new.value, why=why)

    def _bury(self, child: _Child) -> None:
        """Let go of an ended process, and of whatever it left running."""
        if child.process is not None:
            _kill_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
            child.process = None
        self._hang_up(child)

    def _reap(self) -> None:
        """Let go of ended processes that have lost their parent, which was a part."""
        known = {self._pid_of(child) for child in (*self._children, self._preparing)}
        known |= {self._server.pid if self._server else None, self._fork_server.pid}
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, options)) and ended.si_pid not in known:
                os.waitpid(ended.si_pid, 0)

    def _hang_up(self, child: _Child) -> None:
        if child.channel is not None:
            self._selector.unregister(child.channel)
            child.channel.close()
            child.channel = None

    # --- Listening ---------------------------------------------------------

    def _listen(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, _Child):
                self._hear(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    self._signals.recv(64)

    def _hear(self, child: _Child) -> None:
        """Read heartbeats: `ready`, or `waiting` and why."""
        if child.channel is None:
            return
        with contextlib.suppress(BlockingIOError):
            while data := _received(child.channel):
                child.heard += data
                child.deadline = time.monotonic() + self._plan.silence_s
            self._hang_up(child)
        *lines, child.heard = child.heard.split(b"\n")
        if lines:
            word, _, why = lines[-1].decode(errors="replace").partition(" ")
            self._change(child, PartState.READY if word == "ready" else PartState.WAITING, why)

    # --- Telling -----------------------------------------------------------

    def _publish(self) -> None:
        parts = tuple(
            state.Part(
                name=child.name,
                pid=self._pid_of(child),
                state=child.state,
                since=child.since,
                restarts=max(child.restarts, 0),
                why=child.why,
            )
            for child in self._everything()
        )
        found = state.State(os.getpid(), self._started_at, parts)
        if found == self._written:
            return
        # A full disk must not end the supervisor; the old file says the same soon enough.
        with contextlib.suppress(OSError):
            state.write(self._plan.data_dir, found)
            self._written = found

    def _pid_of(self, child: _Child) -> int | None:
        if child is self._database:
            return self._server.pid if self._server else None
        return child.process.pid if child.process else None

    def _housekeep(self) -> None:
        if time.monotonic() < self._housekeeping_at:
            return
        self._housekeeping_at = time.monotonic() + HOUSEKEEPING_S
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.trim_log()
            before, self._abandoned = self._abandoned, self._server.is_abandoned()
            if before and self._abandoned:
                log.warning("database_abandoned", pid=self._server.pid)
                self._server.halt()
        found = disk.measure(self._plan.data_dir)
        low = found.used_share >= self._plan.warn_share
        if low != self._disk_low:
            self._disk_low = low
            tell = log.warning if low else log.info
            tell("disk_low" if low else "disk_relieved", used_share=round(found.used_share, 3))

    # --- Stopping ----------------------------------------------------------

    def _stop(self) -> None:
        """Stop the parts, then the database; a second signal makes short work of it."""
        log.info("stopping")
        asked = self._stops_asked
        running = [child for child in (*self._children, self._preparing) if child.process]
        for child in running:
            _kill(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while any(child.process and child.process.poll() is None for child in running):
            if time.monotonic() > deadline or self._stops_asked > max(asked, 1):
                log.warning("stopping_hard")
                break
            self._listen(0.05)
        for child in running:
            self._bury(child)
        self._fork_server.stop()
        if self._server is not None:
            hurried = self._stops_asked > max(asked, 1)
            self._server.stop(HARD_STOP_S if hurried else postgres.STOP_TIMEOUT_S)
        state.remove(self._plan.data_dir)
        log.info("stopped")


def _ease(child: _Child) -> None:
    """Let the pauses of one that has held out begin small again."""
    if time.monotonic() - child.started_at > STEADY_S:
        child.pause_s = FIRST_PAUSE_S


def _received(channel: socket.socket) -> bytes:
    """Read what is there; empty once the other end is gone. Raises BlockingIOError."""
    try:
        return channel.recv(65536)
    except ConnectionResetError:
        return b""


def _ending(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _kill(child: _Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.poll() is None:
        child.process.send_signal(number)


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
