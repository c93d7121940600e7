"""Coming and going."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import ssl
import time
from array import array
from collections.abc import Iterator
from typing import ClassVar

from bench.generator import PATIENCE_S, cpu_since, percentiles
from bench.swarm import Outcome, Task
from bench.swarm.clients import CONNECTED, DISCONNECT, connect_packet, context_of, source


def connect(task: Task) -> Iterator[Outcome]:
    """Come and go: sign in, be answered, say goodbye, and again; or come and `stay`.

    `Outcome.ended` is when the last was answered.
    """
    context = context_of(task)
    yield CONNECTED
    clock, before = time.monotonic, resource.getrusage(resource.RUSAGE_SELF)
    began = ended = clock()
    end = began + task.seconds
    poll = select.epoll()
    comings: dict[int, Coming] = {}
    arrived: list[Coming] = []
    latencies = array("d")
    number = resumed = 0
    while True:
        while len(comings) < task.publishers and (
            number < task.stay if task.stay else clock() < end
        ):
            coming = Coming(task, context, number)
            number += 1
            comings[coming.fd] = coming
            poll.register(coming.fd, select.EPOLLOUT)
        if not comings:
            break
        events = poll.poll(PATIENCE_S)
        if not events:
            raise ConnectionError("The broker does not answer any more.")
        for fd, _mask in events:
            coming = comings[fd]
            if wanted := coming.go_on():
                poll.modify(fd, wanted)
                continue
            poll.unregister(fd)
            del comings[fd]
            ended = clock()
            latencies.append(ended - coming.began)
            resumed += coming.has_resumed
            if task.stay:
                arrived.append(coming)
            else:
                coming.leave()
    yield Outcome(
        began=began, ended=ended, count=len(latencies), latency_ms=percentiles(latencies),
        cpu_s=cpu_since(before), resumed=resumed,
    )  # fmt: skip
    for coming in arrived:
        coming.leave()


class Coming:
    """One connection on its way to CONNACK."""

    _session: ClassVar[ssl.SSLSession | None] = None

    def __init__(self, task: Task, context: ssl.SSLContext | None, number: int) -> None:
        self.began = time.monotonic()
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(source(number))
        sock.connect_ex(("127.0.0.1", task.port))
        self.fd, self._sock = sock.fileno(), sock
        self._hello = connect_packet(task, number)
        self._context, self._resume = context, task.resume
        self._secured = context is None
        self._said = False
        self.has_resumed = False

    def go_on(self) -> int:
        """Go on; give the events to wait for, or 0 once it is signed in."""
        try:
            if not self._secured:
                self._handshake()
            if not self._said:
                self._sock.send(self._hello)
                self._said = True
                return select.EPOLLIN
            answer = self._sock.recv(4)
        except (ssl.SSLWantReadError, BlockingIOError):
            return select.EPOLLIN
        except ssl.SSLWantWriteError:
            return select.EPOLLOUT
        if answer not in (b"\x20\x02\0\0", b"\x20\x02\1\0"):
            raise ConnectionError(f"A client was refused: {answer.hex()}.")
        self.has_resumed = answer[2] == 1
        if self._resume and Coming._session is None and isinstance(self._sock, ssl.SSLSocket):
            Coming._session = self._sock.session
        return 0

    def _handshake(self) -> None:
        assert self._context is not None
        if not isinstance(self._sock, ssl.SSLSocket):
            self._sock = self._context.wrap_socket(
                self._sock, server_hostname="localhost", do_handshake_on_connect=False,
                session=Coming._session if self._resume else None,
            )  # fmt: skip
        self._sock.do_handshake()
        self._secured = True

    def leave(self) -> None:
        """Say goodbye."""
        with contextlib.suppress(OSError):
            self._sock.send(DISCONNECT)
        self._sock.close()
