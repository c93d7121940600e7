"""Publishing as fast as the answers, or the deliveries, come."""

from __future__ import annotations

import resource
import select
import time
from collections.abc import Iterator

from bench.generator import PATIENCE_S, cpu_since
from bench.swarm import Outcome, Task
from bench.swarm.clients import CONNECTED, UNDER_WAY, Publishers, Subscribers, context_of, watching


def publish(task: Task) -> Iterator[Outcome]:
    """Send as fast as the answers come; with subscribers, as fast as the deliveries come."""
    context, fan = context_of(task), task.subscribers
    publishers, subscribers = Publishers(task, context), Subscribers(task, context)
    poll = watching(publishers, subscribers, 0 if task.qos else select.EPOLLOUT)
    yield CONNECTED
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
