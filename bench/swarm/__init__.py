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
    acknowledged: the same without a subscriber, of QoS 1; latency counts until PUBACK.
    connect: `publishers` at a time connect, are answered, and disconnect; or `stay` of them, who
        stay until the end.
"""

from __future__ import annotations

import msgspec


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
        lasts: whether the sessions of clients that come last beyond their connections.
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
    lasts: bool = False
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
        resumed: how many clients that came found their session again.
    """

    began: float
    ended: float
    count: int
    lost: int = 0
    latency_ms: list[float] = []
    cpu_s: list[float] = []
    resumed: int = 0
