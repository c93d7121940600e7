"""Publishing by the clock: how late what was due is delivered, or acknowledged."""

from __future__ import annotations

import resource
import struct
import time
from array import array
from collections import deque
from collections.abc import Iterator

import msgspec

from bench.generator import PATIENCE_S, cpu_since, percentiles
from bench.swarm import Outcome, Task
from bench.swarm.clients import (
    CONNECTED,
    WINDOW,
    Publishers,
    Subscribers,
    context_of,
    watching,
)


def paced(task: Task) -> Iterator[Outcome]:
    """Send by the clock; each payload begins with the instant it was due."""
    context = context_of(task)
    one = msgspec.structs.replace(task, subscribers=1)
    publishers, subscribers = Publishers(task, context), Subscribers(one, context)
    poll = watching(publishers, subscribers)
    clients = list(publishers.by_fd.values())
    heads = [client.chunk[: len(client.chunk) // WINDOW - task.payload_bytes] for client in clients]
    filler = bytes(task.payload_bytes - 8)
    latencies, due_at = array("d"), struct.Struct("<d")
    yield CONNECTED
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


def acknowledged(task: Task) -> Iterator[Outcome]:
    """Send by the clock at QoS 1; nobody hears it, and PUBACK ends the wait."""
    publishers = Publishers(task, context_of(task))
    poll = watching(publishers, None)
    clients = list(publishers.by_fd.values())
    starts = [
        client.chunk[: len(client.chunk) // WINDOW - task.payload_bytes - 2] for client in clients
    ]
    end = clients[0].chunk[-task.payload_bytes :]
    waiting: dict[int, deque[float]] = {client.fd: deque() for client in clients}
    latencies = array("d")
    yield CONNECTED
    clock, before = time.monotonic, resource.getrusage(resource.RUSAGE_SELF)
    began, sent, total = clock(), 0, int(task.rate * task.seconds)
    while len(latencies) < total and clock() < began + task.seconds + PATIENCE_S:
        now = clock()
        while sent < total and now >= (at := began + sent / task.rate):
            turn, place = divmod(sent, len(clients))
            client = clients[place]
            client.write(starts[place] + (turn % 65_535 + 1).to_bytes(2, "big") + end)
            waiting[client.fd].append(at)
            sent += 1
        for fd, _mask in poll.poll(0.001 if sent < total else 1.0):
            client = publishers.by_fd[fd]
            answers = client.tail + client.read()
            whole = len(answers) // 4  # PUBACKs come in the order of their messages (4.6.0-2).
            client.tail = answers[4 * whole :]
            now = clock()
            latencies.extend(now - waiting[fd].popleft() for _ in range(whole))
    yield Outcome(
        began=began, ended=clock(), count=len(latencies), lost=total - len(latencies),
        latency_ms=percentiles(latencies), cpu_s=cpu_since(before),
    )  # fmt: skip
