"""The load on a broker: many MQTT 3.1.1 clients on one thread, counted in bytes.

Run as a process of its own (`python -m bench.swarm`, a `Task` as JSON on standard input, an
`Outcome` as JSON on standard output). Every message of a task has the same size, so what has
arrived is told from the number of bytes; a client costs a system call for many messages, and what
is measured is the broker.

Modes:
    publish: `publishers` send chunks of `WINDOW` messages each to a topic of its own, the next
        when the last is answered (QoS 0: when the socket takes it). With `subscribers` all of them
        hear every message, and no more than about `UNDER_WAY` deliveries wait.
    paced: `rate` messages a second in all, due by the clock, one subscriber; latency counts from
        the instant a message was due until it was delivered.
    connect: `publishers` at a time connect, are answered, and disconnect; or `stay` of them, who
        stay until the end.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import ssl
import struct
import sys
import time
from array import array
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from bench.generator import PATIENCE_S, cpu_since, packet, percentiles, text

WINDOW, UNDER_WAY = 20, 20_000
PUBREL = 0x62
DISCONNECT, PINGREQ, PINGRESP = b"\xe0\0", b"\xc0\0", b"\xd0\0"
CLIENTS_AN_ADDRESS = 250


class Task(msgspec.Struct, kw_only=True):
    """What to do.

    Attributes:
        publishers, subscribers: numbers of clients.
        qos: of the messages, both ways.
        payload_bytes: at least 8.
        authority: PEM file to trust; TLS if given.
        certificate, key: PEM files of the clients, for mutual TLS.
        resume: whether a TLS client resumes the session of one that came before.
        stay: how many come and stay, instead of coming and going for `seconds`.
        keys: the user names of the clients, in order; nobody has one if there are none.
        topic: what the publishers' topics begin with.
    """

    mode: str
    port: int
    seconds: float
    publishers: int
    subscribers: int = 0
    qos: int = 0
    payload_bytes: int = 64
    rate: float = 0.0
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    resume: bool = False
    stay: int = 0
    keys: list[str] = []
    topic: str = "bench"


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        began, ended: on the machine's monotonic clock.
        count: messages answered, or delivered where somebody hears; connections made.
        lost: deliveries that did not come, of those expected.
        latency_ms: p50, p95, p99 in milliseconds.
        cpu_s: user and system time of this process.
    """

    began: float
    ended: float
    count: int
    lost: int = 0
    latency_ms: list[float] = []
    cpu_s: list[float] = []


class Client:
    """One connection, not blocking once it is open.

    Attributes:
        due: bytes that must come before its next chunk may go.
        rest: what the socket has not taken yet.
        tail: the beginning of a delivery whose end is to come.
    """

    __slots__ = ("chunk", "due", "fd", "releasing", "rest", "sock", "tail")

    def __init__(self, sock: socket.socket, chunk: bytes = b"") -> None:
        self.sock, self.fd, self.chunk = sock, sock.fileno(), chunk
        self.due, self.releasing = 0, False
        self.rest = self.tail = b""

    def read(self) -> bytes:
        """Read what is there; nothing if a TLS record is not whole yet."""
        try:
            data = self.sock.recv(262_144)
        except (ssl.SSLWantReadError, BlockingIOError):
            return b""
        if not data:
            raise ConnectionError("The broker closed a connection.")
        return data

    def write(self, data: bytes) -> None:
        """Send as much as the socket takes, and keep the rest."""
        data = self.rest + data
        try:
            taken = self.sock.send(data)
        except (ssl.SSLWantWriteError, BlockingIOError):
            taken = 0
        self.rest = data[taken:]


# --- Connecting -----------------------------------------------------------


def connect_packet(task: Task, number: int) -> bytes:
    """Make a client's CONNECT of MQTT 3.1.1: clean session, kept alive 300 s."""
    client_id = text(b"swarm-%d" % number)
    if not task.keys:
        return packet(0x10, text(b"MQTT") + b"\x04\x02\x01\x2c" + client_id)
    key = text(task.keys[number % len(task.keys)].encode())
    return packet(0x10, text(b"MQTT") + b"\x04\x82\x01\x2c" + client_id + key)


def context_of(task: Task) -> ssl.SSLContext | None:
    """Make what TLS needs; None without TLS."""
    if task.authority is None:
        return None
    context = ssl.create_default_context(cafile=task.authority)
    context.check_hostname = False
    if task.certificate is not None:
        context.load_cert_chain(task.certificate, task.key)
    return context


def source(number: int) -> tuple[str, int]:
    """Give a client an address of the loopback: the ports of one would not do."""
    lane = number // CLIENTS_AN_ADDRESS % 60_000
    return f"127.1.{lane // 250}.{1 + lane % 250}", 0


def dial(task: Task, context: ssl.SSLContext | None, number: int) -> socket.socket:
    """Open one connection and sign in. Raises ConnectionError."""
    where = ("127.0.0.1", task.port)
    sock = socket.create_connection(where, PATIENCE_S, source_address=source(number))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    sock.sendall(connect_packet(task, number))
    if (answer := sock.recv(4)) != b"\x20\x02\0\0":
        raise ConnectionError(f"Client {number} was refused: {answer.hex()}.")
    return sock


def subscribe(sock: socket.socket, topic_filter: str, qos: int) -> None:
    """Subscribe a fresh connection. Raises ConnectionError."""
    sock.sendall(packet(0x82, b"\0\1" + text(topic_filter.encode()) + bytes([qos])))
    if (answer := sock.recv(5)) != b"\x90\x03\0\1" + bytes([qos]):
        raise ConnectionError(f"The subscription was refused: {answer.hex()}.")


def topic_of(task: Task, number: int) -> bytes:
    """Give a publisher's topic; all have the same length."""
    return f"{task.topic}/{number:05}".encode()


def chunk_of(number: int, task: Task) -> bytes:
    """Make what a publisher sends at a time."""
    topic, payload = text(topic_of(task, number)), payload_of(task)
    made = []
    for turn in range(1, WINDOW + 1):
        packet_id = turn.to_bytes(2, "big") if task.qos else b""
        made.append(packet(0x30 | task.qos << 1, topic + packet_id + payload))
    return b"".join(made)


def payload_of(task: Task) -> bytes:
    """Make a payload of the task's size; JSON, since a platform looks into it."""
    return b'{"x":1' + b" " * (task.payload_bytes - 7) + b"}"


_RELEASE = b"".join(bytes([PUBREL, 2]) + n.to_bytes(2, "big") for n in range(1, WINDOW + 1))


# --- Publishing -----------------------------------------------------------


class Publishers:
    """Clients that each send a chunk when the last one is answered."""

    def __init__(self, task: Task, context: ssl.SSLContext | None) -> None:
        self.qos = task.qos
        self.by_fd: dict[int, Client] = {}
        for number in range(task.publishers):
            sock = dial(task, context, number)
            sock.setblocking(False)
            self.by_fd[sock.fileno()] = Client(sock, chunk_of(number, task))
        self.answered = self.sent = 0

    def send(self, client: Client) -> None:
        """Send a client's next chunk."""
        client.write(client.chunk)
        client.due = 4 * WINDOW if self.qos else 0
        self.sent += WINDOW
        if not self.qos:
            self.answered += WINDOW

    def take(self, client: Client) -> bool:
        """Read answers; tell whether the chunk is answered in whole."""
        client.due -= len(client.read())
        if client.due:
            return False
        if self.qos == 2 and not client.releasing:
            client.releasing, client.due = True, 4 * WINDOW
            client.write(_RELEASE)
            return False
        client.releasing = False
        self.answered += WINDOW
        return True

    def flush(self) -> None:
        """Wait until the broker has read everything: it answers a PINGREQ after that."""
        for client in self.by_fd.values():
            client.sock.settimeout(PATIENCE_S)
            client.sock.sendall(client.rest + PINGREQ)
            client.rest = b""
        for client in self.by_fd.values():
            if client.sock.recv(2) != PINGRESP:
                raise ConnectionError("A PINGREQ was not answered.")


class Subscribers:
    """Clients that hear everything; deliveries all have the same size."""

    def __init__(self, task: Task, context: ssl.SSLContext | None) -> None:
        self.qos = task.qos
        variable = text(topic_of(task, 0)) + bytes(2 * (task.qos > 0)) + bytes(task.payload_bytes)
        self.size = len(packet(0x30, variable))
        self.id_at = self.size - task.payload_bytes - 2
        self.by_fd: dict[int, Client] = {}
        for number in range(task.subscribers):
            sock = dial(task, context, task.publishers + number)
            subscribe(sock, f"{task.topic}/#", task.qos)
            sock.setblocking(False)
            self.by_fd[sock.fileno()] = Client(sock)
        self.bytes = 0

    @property
    def heard(self) -> int:
        """How many deliveries have come."""
        return self.bytes // self.size

    def take(self, client: Client) -> bytes:
        """Read deliveries and acknowledge them; give the whole ones."""
        data = client.tail + client.read()
        whole = len(data) - len(data) % self.size
        client.tail = data[whole:]
        self.bytes += whole
        if self.qos and whole:
            ids = range(self.id_at, whole, self.size)
            client.write(b"".join(b"\x40\2" + data[at : at + 2] for at in ids))
        return data[:whole]


def _watching(publishers: Publishers, subscribers: Subscribers, writable: int = 0) -> select.epoll:
    poll = select.epoll()
    for fd in publishers.by_fd:
        poll.register(fd, select.EPOLLIN | writable)
    for fd in subscribers.by_fd:
        poll.register(fd, select.EPOLLIN)
    return poll


def publish(task: Task) -> Iterator[Outcome]:
    """Send as fast as the answers come; with subscribers, as fast as the deliveries come."""
    context, fan = context_of(task), task.subscribers
    publishers, subscribers = Publishers(task, context), Subscribers(task, context)
    poll = _watching(publishers, subscribers, 0 if task.qos else select.EPOLLOUT)
    yield _CONNECTED
    clock, before = time.monotonic, resource.getrusage(resource.RUSAGE_SELF)
    began = now = clock()
    end = began + task.seconds
    ready = list(publishers.by_fd.values()) if task.qos else []
    while now < end or (publishers.answered < publishers.sent and now < end + PATIENCE_S):
        while ready and now < end and subscribers.heard + UNDER_WAY > publishers.sent * fan:
            publishers.send(ready.pop())
        for fd, mask in poll.poll(0.01):
            client = publishers.by_fd.get(fd)
            if client is None:
                subscribers.take(subscribers.by_fd[fd])
            elif mask & ~select.EPOLLOUT:
                if publishers.take(client):
                    ready.append(client)
            elif client.rest:
                client.write(b"")
            elif now < end and subscribers.heard + UNDER_WAY > publishers.sent * fan:
                publishers.send(client)
        now = clock()
    if not task.qos:
        publishers.flush()
    _hear_all(subscribers, publishers.sent * fan)
    yield Outcome(
        began=began, ended=clock(), count=subscribers.heard if fan else publishers.answered,
        lost=publishers.sent * fan - subscribers.heard, cpu_s=cpu_since(before),
    )  # fmt: skip


def _hear_all(subscribers: Subscribers, expected: int) -> None:
    """Wait for what is still to come."""
    poll = select.epoll()
    for fd in subscribers.by_fd:
        poll.register(fd, select.EPOLLIN)
    while subscribers.heard < expected:
        events = poll.poll(5)
        if not events:
            break
        for fd, _mask in events:
            subscribers.take(subscribers.by_fd[fd])


def paced(task: Task) -> Iterator[Outcome]:
    """Send by the clock; each payload begins with the instant it was due."""
    context = context_of(task)
    one = msgspec.structs.replace(task, subscribers=1)
    publishers, subscribers = Publishers(task, context), Subscribers(one, context)
    poll = _watching(publishers, subscribers)
    clients = list(publishers.by_fd.values())
    heads = [client.chunk[: len(client.chunk) // WINDOW - task.payload_bytes] for client in clients]
    filler = bytes(task.payload_bytes - 8)
    latencies, due_at = array("d"), struct.Struct("<d")
    yield _CONNECTED
    clock, before = time.monotonic, resource.getrusage(resource.RUSAGE_SELF)
    began, sent, total = clock(), 0, int(task.rate * task.seconds)
    size, payload_at = subscribers.size, subscribers.size - task.payload_bytes
    while len(latencies) < total and clock() < began + task.seconds + PATIENCE_S:
        now = clock()
        while sent < total and now >= (at := began + sent / task.rate):
            turn, place = divmod(sent, len(clients))
            head = heads[place]
            if task.qos:
                head = head[:-2] + (turn % 65_535 + 1).to_bytes(2, "big")
            clients[place].write(head + due_at.pack(at) + filler)
            sent += 1
        for fd, _mask in poll.poll(0.001 if sent < total else 1.0):
            if (client := publishers.by_fd.get(fd)) is not None:
                client.read()
                continue
            data = subscribers.take(subscribers.by_fd[fd])
            now = clock()
            for place in range(payload_at, len(data), size):
                latencies.append(now - due_at.unpack_from(data, place)[0])
    yield Outcome(
        began=began, ended=clock(), count=len(latencies), lost=total - len(latencies),
        latency_ms=percentiles(latencies), cpu_s=cpu_since(before),
    )  # fmt: skip


# --- Coming and going -----------------------------------------------------


def connect(task: Task) -> Iterator[Outcome]:
    """Come and go: sign in, be answered, say goodbye, and again; or come and `stay`.

    `Outcome.ended` is when the last was answered.
    """
    context = context_of(task)
    yield _CONNECTED
    clock, before = time.monotonic, resource.getrusage(resource.RUSAGE_SELF)
    began = ended = clock()
    end = began + task.seconds
    poll = select.epoll()
    comings: dict[int, Coming] = {}
    arrived: list[Coming] = []
    latencies = array("d")
    number = 0
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
            if task.stay:
                arrived.append(coming)
            else:
                coming.leave()
    yield Outcome(
        began=began, ended=ended, count=len(latencies), latency_ms=percentiles(latencies),
        cpu_s=cpu_since(before),
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
        if answer != b"\x20\x02\0\0":
            raise ConnectionError(f"A client was refused: {answer.hex()}.")
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


_CONNECTED = Outcome(began=0, ended=0, count=0)
_MODES = {"publish": publish, "paced": paced, "connect": connect}


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
