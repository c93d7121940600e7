"""The load: many devices on one thread, as cheap as Python makes it.

Run as a process of its own (`python -m bench.generator`, a `Job` as JSON on standard input, a
`Result` as JSON on standard output), so that its share of the cores is told apart. One epoll loop
over bare sockets: a message costs one send, one receive and a few bytecodes. Packets are built
before the clock starts.

Modes:
    closed: every connection sends its next request when the answer to the last is there.
    paced: so many messages a second in all, whether answers come or not (open loop); latencies
        count from the instant a message was due.
    flood: as `paced`, in chunks, as fast as each connection's window of 200 unacknowledged
        messages allows; what was due but found the window shut is counted as held back.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import resource
import select
import socket
import ssl
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

PUBACK = b"\x40\x02\x00\x01"
TOPIC = b"v1/up"
VARIANTS = 4_096
WINDOW, CHUNK = 200, 20
# One address per so many devices: a door lets only a few strangers a second in from each.
DEVICES_AN_ADDRESS = 25
PATIENCE_S = 30.0


class Job(msgspec.Struct, kw_only=True):
    """What to send where.

    Attributes:
        kind: `mqtt` or `http`.
        keys: a device's key each; MQTT connections are one a key.
        connections: of HTTP, which share the keys out among them.
        payload: `json`, `elsys` (bytes of a real sensor, 3 values) or `numbered` (JSON that
            carries its number as a fourth value `n`).
        batch: messages in a request, HTTP only.
        rate: messages a second in all, for `paced` and `flood`.
        authority: PEM file to trust; TLS if given.
        times: file for the send and acknowledgement times of `paced`, float64 seconds each.
    """

    mode: str
    port: int
    keys: list[str]
    seconds: float
    kind: str = "mqtt"
    host: str = "127.0.0.1"
    connections: int = 0
    payload: str = "json"
    batch: int = 1
    rate: float = 0.0
    authority: str | None = None
    times: str | None = None


class Result(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        began, ended: of sending, on the machine's monotonic clock.
        accepted, refused: messages answered so.
        held_back: messages due that the connection's window did not let out.
        seconds: messages accepted in each second.
        latency_ms: p50, p95, p99 of the answers, in milliseconds.
        cpu_s: user and system time of this process while sending.
    """

    began: float
    ended: float
    sent: int
    accepted: int
    refused: int = 0
    held_back: int = 0
    seconds: list[int] = []
    latency_ms: list[float] = []
    cpu_s: list[float] = []


class Connection:
    """One device's connection."""

    __slots__ = ("at", "fd", "free", "open", "read", "sent_at", "sock", "tail", "turn", "write")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.read: Callable[[int], bytes] = sock.recv
        self.write: Callable[[bytes], int] = sock.send
        self.at = 0
        self.sent_at = 0.0
        self.tail = b""
        # Of `paced`: the next packet id, and what each id in flight is the acknowledgement of.
        self.turn = 0
        self.open: dict[int, int] = {}
        # Of `flood`: how many of each chunk's messages are still unanswered.
        self.free = [0] * (WINDOW // CHUNK)


# --- What is sent ---------------------------------------------------------


def payloads(kind: str, count: int = VARIANTS) -> list[bytes]:
    """Make payloads whose three values all differ from one to the next, always the same ones."""
    rng = random.Random(7)
    made = []
    for _ in range(count):
        temperature, humidity = rng.uniform(15, 30), rng.randrange(20, 90)
        if kind == "elsys":
            body = b"\x01%s\x02%c\x07%s" % (
                int(temperature * 10).to_bytes(2, "big"),
                humidity,
                rng.randrange(3_000, 3_700).to_bytes(2, "big"),
            )
        else:
            body = b'{"temperature":%.2f,"humidity":%.1f,"battery":%.3f}' % (
                temperature,
                humidity + rng.random(),
                rng.uniform(3.0, 3.7),
            )
        made.append(body)
    return made


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    """Frame an MQTT packet."""
    return bytes([first]) + _length(len(body)) + body


def text(value: bytes) -> bytes:
    """Frame an MQTT string."""
    return len(value).to_bytes(2, "big") + value


def connect_packet(client_id: str, key: str, *, five: bool) -> bytes:
    """Make a CONNECT of MQTT 3.1.1, or 5 when `five`: clean, kept alive 300 s, key as user name."""
    head = text(b"MQTT") + bytes([5 if five else 4, 0x82]) + (300).to_bytes(2, "big")
    return packet(
        0x10, head + (b"\0" if five else b"") + text(client_id.encode()) + text(key.encode())
    )


def publish_packet(payload: bytes, packet_id: int = 1, *, five: bool = False) -> bytes:
    """Make a PUBLISH of QoS 1."""
    return packet(
        0x32, text(TOPIC) + packet_id.to_bytes(2, "big") + (b"\0" if five else b"") + payload
    )


def http_requests(job: Job) -> list[bytes]:
    """Make a request a key; each has other values."""
    bodies = payloads("json")
    turn = itertools.cycle(bodies)
    made = []
    several = [
        b"[" + b",".join(itertools.islice(turn, job.batch)) + b"]"
        for _ in range(4 if job.batch > 1 else 0)
    ]
    for number, key in enumerate(job.keys):
        body = several[number % 4] if several else next(turn)
        head = (
            f"POST /ingest/v1/up HTTP/1.1\r\nHost: bench\r\nX-Device-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


# --- Connecting -----------------------------------------------------------


def _dial(job: Job, number: int, context: ssl.SSLContext | None) -> socket.socket:
    lane = number // DEVICES_AN_ADDRESS
    source = f"127.0.{1 + lane // 250}.{1 + lane % 250}"
    sock = socket.create_connection((job.host, job.port), PATIENCE_S, source_address=(source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        return context.wrap_socket(sock, server_hostname="localhost")
    return sock


def connect(job: Job) -> list[Connection]:
    """Open every connection; MQTT ones are signed in. Raises ConnectionError."""
    context = None
    if job.authority is not None:
        context = ssl.create_default_context(cafile=job.authority)
        context.check_hostname = False
    five = job.mode == "flood"
    made = []
    for number in range(job.connections or len(job.keys)):
        sock = _dial(job, number, context)
        if job.kind == "mqtt":
            sock.sendall(connect_packet(f"bench-{number}", job.keys[number], five=five))
            answer = sock.recv(256)
            if answer[:1] != b"\x20" or answer[3 if len(answer) > 3 else 0] != 0:
                raise ConnectionError(f"Connection {number} was refused: {answer.hex()}.")
        sock.setblocking(False)
        made.append(Connection(sock))
    return made


# --- Sending --------------------------------------------------------------


def closed(job: Job, connections: Sequence[Connection]) -> Result:
    """Keep one request of every connection under way."""
    mqtt = job.kind == "mqtt"
    if mqtt:
        requests = [publish_packet(body) for body in payloads(job.payload)]
        good, share = PUBACK, 1
    else:
        requests = http_requests(job)
        good = b'{"accepted":%d}' % job.batch
        share = job.batch
    count = len(requests)
    by_fd = {c.fd: c for c in connections}
    poll = _watching(connections)
    clock = time.monotonic
    latencies, seconds = array("f"), [0]
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = clock()
    end, tick = began + job.seconds, began + 1
    sent = answered = refused = marked = 0
    step = max(1, count // len(connections))
    for number, connection in enumerate(connections):
        connection.at = number * step % count
        connection.sent_at = clock()
        _send(connection, requests[connection.at])
        sent += 1
    running = True
    while answered + refused < sent:
        events = poll.poll(PATIENCE_S)
        if not events:
            break
        for fd, _mask in events:
            connection = by_fd[fd]
            try:
                data = connection.read(65_536)
            except ssl.SSLWantReadError:
                continue
            if data == PUBACK:
                answered += 1
            elif not data:
                raise ConnectionError(f"A connection was closed after {answered} answers.")
            elif _is_whole(answer := connection.tail + data, mqtt=mqtt):
                connection.tail = b""
                if good in answer:
                    answered += 1
                else:
                    refused += 1
                    _complain(answer)
            else:
                connection.tail = answer
                continue
            now = clock()
            latencies.append(now - connection.sent_at)
            if running:
                at = connection.at = (connection.at + 1) % count
                connection.sent_at = now
                request = requests[at]
                if connection.write(request) != len(request):
                    raise ConnectionError("The socket took only a part of a request.")
                sent += 1
        now = clock()
        if now >= tick:
            seconds[-1] = (answered - marked) * share
            seconds.append(0)
            marked, tick = answered, tick + 1
            running = now < end
    ended = clock()
    seconds[-1] = (answered - marked) * share
    return Result(
        began=began, ended=ended, sent=sent * share, accepted=answered * share,
        refused=refused * share, seconds=seconds, latency_ms=percentiles(latencies),
        cpu_s=cpu_since(before),
    )  # fmt: skip


def paced(job: Job, connections: Sequence[Connection]) -> Result:
    """Send by the clock; every message carries its number, and its answer's time is kept."""
    total = int(job.rate * job.seconds)
    bodies = [body[:-1] for body in payloads("json")]
    by_fd = {c.fd: c for c in connections}
    poll = _watching(connections)
    clock, count = time.monotonic, len(connections)
    acknowledged = array("d", bytes(8 * total))
    due = array("d", bytes(8 * total))
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = clock()
    sent = answered = 0
    while answered < total:
        now = clock()
        while sent < total and now >= (at := began + sent / job.rate):
            connection = connections[sent % count]
            turn = connection.turn = connection.turn % 65_535 + 1
            body = b'%s,"n":%d}' % (bodies[sent % VARIANTS], sent)
            _send(connection, publish_packet(body, turn))
            connection.open[turn] = sent
            due[sent] = at
            sent += 1
        wait_s = 0.001 if sent < total else 1.0
        for fd, _mask in poll.poll(wait_s):
            connection = by_fd[fd]
            data = connection.tail + connection.read(4_096)
            now = clock()
            whole = len(data) - len(data) % 4
            for place in range(0, whole, 4):
                turn = data[place + 2] << 8 | data[place + 3]
                acknowledged[connection.open.pop(turn)] = now
                answered += 1
            connection.tail = data[whole:]
        if sent == total and clock() > began + job.seconds + PATIENCE_S:
            break
    ended = clock()
    latencies = array("f", (a - d for a, d in zip(acknowledged, due, strict=True) if a))
    if job.times is not None:
        Path(job.times).write_bytes(due.tobytes() + acknowledged.tobytes())
    return Result(
        began=began, ended=ended, sent=sent, accepted=answered,
        latency_ms=percentiles(latencies), cpu_s=cpu_since(before),
    )  # fmt: skip


def flood(job: Job, connections: Sequence[Connection]) -> Result:
    """Offer more than can be taken; MQTT 5, so that a refusal has a word of its own."""
    chunks = _chunks(job.payload)
    slots = WINDOW // CHUNK
    by_fd = {c.fd: c for c in connections}
    poll = _watching(connections)
    clock, count = time.monotonic, len(connections)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = clock()
    offered = sent = accepted = refused = held_back = marked = 0
    seconds, tick = [0], began + 1
    while True:
        now = clock()
        open_ = now < began + job.seconds
        if not open_ and accepted + refused >= sent:
            break
        if now > began + job.seconds + 4 * PATIENCE_S:
            break
        due = int((now - began) * job.rate) if open_ else offered
        while offered < due:
            connection = connections[offered // CHUNK % count]
            offered += CHUNK
            slot = connection.turn
            if connection.free[slot] or connection.tail:
                held_back += CHUNK
                continue
            connection.free[slot] = CHUNK
            connection.turn = (slot + 1) % slots
            sent += CHUNK
            chunk = chunks[offered // CHUNK % len(chunks)][slot]
            try:
                taken = connection.write(chunk)
            except BlockingIOError:
                taken = 0
            if taken < len(chunk):
                connection.tail = chunk[taken:]
                poll.modify(connection.fd, select.EPOLLIN | select.EPOLLOUT)
        for fd, mask in poll.poll(0.002):
            connection = by_fd[fd]
            if mask & select.EPOLLOUT and connection.tail:
                taken = connection.write(connection.tail)
                connection.tail = connection.tail[taken:]
                if not connection.tail:
                    poll.modify(fd, select.EPOLLIN)
            if mask & ~select.EPOLLOUT:
                yes, no = _answers(connection)
                accepted += yes
                refused += no
        now = clock()
        if now >= tick:
            seconds[-1] = accepted - marked
            seconds.append(0)
            marked, tick = accepted, tick + 1
    return Result(
        began=began, ended=clock(), sent=sent, accepted=accepted, refused=refused,
        held_back=held_back, seconds=seconds, cpu_s=cpu_since(before),
    )  # fmt: skip


def _chunks(payload: str) -> list[list[bytes]]:
    """Make for 16 rounds one chunk a slot, so that each packet id stands in one slot only."""
    bodies = itertools.cycle(payloads(payload))
    return [
        [
            b"".join(
                publish_packet(next(bodies), slot * CHUNK + n + 1, five=True) for n in range(CHUNK)
            )
            for slot in range(WINDOW // CHUNK)
        ]
        for _ in range(16)
    ]


_rest: dict[int, bytes] = {}


def _answers(connection: Connection) -> tuple[int, int]:
    """Read acknowledgements; give how many messages were accepted and how many refused."""
    data = connection.read(65_536)
    if not data:
        raise ConnectionError("The platform closed a connection.")
    data = _rest.pop(connection.fd, b"") + data
    at, end, yes, no, free = 0, len(data), 0, 0, connection.free
    while end - at >= 4:
        stop = at + 2 + data[at + 1]
        if stop > end:
            break
        if data[at] != 0x40:
            raise ConnectionError(f"Unexpected packet {data[at : at + 16].hex()}.")
        free[((data[at + 2] << 8 | data[at + 3]) - 1) // CHUNK] -= 1
        if data[at + 1] > 2 and data[at + 4] >= 0x80:
            no += 1
        else:
            yes += 1
        at = stop
    if at < end:
        _rest[connection.fd] = data[at:]
    return yes, no


# --- Helpers --------------------------------------------------------------


def _watching(connections: Sequence[Connection]) -> select.epoll:
    poll = select.epoll(len(connections))
    for connection in connections:
        poll.register(connection.fd, select.EPOLLIN)
    return poll


def _send(connection: Connection, data: bytes) -> None:
    if connection.write(data) != len(data):
        raise ConnectionError("The socket took only a part of a message.")


def _is_whole(answer: bytes, *, mqtt: bool) -> bool:
    """Tell whether an answer has come in whole: a PUBACK, or an HTTP response."""
    if mqtt:
        return len(answer) >= len(PUBACK)
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not blank:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return body.endswith(b"0\r\n\r\n")


_complaints = itertools.count()


def _complain(answer: bytes) -> None:
    if next(_complaints) < 3:
        sys.stderr.write(f"generator: {answer[:400].decode('latin-1')}\n")


def percentiles(latencies: array[float]) -> list[float]:
    """Give p50, p95, p99 of seconds, in milliseconds."""
    ordered = sorted(latencies)
    if not ordered:
        return [math.nan] * 3
    return [1000 * ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.95, 0.99)]


def cpu_since(before: Any) -> list[float]:
    """Give user and system seconds spent since `before`."""
    now = resource.getrusage(resource.RUSAGE_SELF)
    return [now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime]


def main() -> None:
    """Do the job on standard input."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    connections = connect(job)
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    sys.stdin.readline()
    result = {"closed": closed, "paced": paced, "flood": flood}[job.mode](job, connections)
    sys.stdout.write(json.dumps(msgspec.to_builtins(result)) + "\n")
    sys.stdout.flush()
    # The connections stay until the asker has looked at the platform under them.
    sys.stdin.readline()


if __name__ == "__main__":
    main()
