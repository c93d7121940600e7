"""The clients of a swarm: how they sign in, publish and hear."""

from __future__ import annotations

import select
import socket
import ssl

from bench.generator import PATIENCE_S, packet, text
from bench.swarm import Outcome, Task

WINDOW, UNDER_WAY = 20, 20_000
PUBREL = 0x62
DISCONNECT, PINGREQ, PINGRESP = b"\xe0\0", b"\xc0\0", b"\xd0\0"
CLIENTS_AN_ADDRESS = 250


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
    """Make a client's CONNECT of MQTT 3.1.1: kept alive 300 s."""
    flags = (0 if task.lasts else 2) | (0x80 if task.keys else 0)
    said = text(b"MQTT") + bytes([4, flags]) + b"\x01\x2c" + text(b"swarm-%d" % number)
    if task.keys:
        said += text(task.keys[number % len(task.keys)].encode())
    return packet(0x10, said)


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


def watching(
    publishers: Publishers, subscribers: Subscribers | None, writable: int = 0
) -> select.epoll:
    poll = select.epoll()
    for fd in publishers.by_fd:
        poll.register(fd, select.EPOLLIN | writable)
    for fd in subscribers.by_fd if subscribers is not None else ():
        poll.register(fd, select.EPOLLIN)
    return poll


CONNECTED = Outcome(began=0, ended=0, count=0)
"""Said once all are signed in."""
