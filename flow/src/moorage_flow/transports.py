"""`@source` and `@sink`: streams joined to the topics of a broker in memory, or written to the log.

Source: Siddhi 5.1 API (core), source inMemory, sinks inMemory and log, with the passThrough
mapping.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid, FunctionUnknown
from .events import Chunk
from .javahash import java_hash
from .language import syntax as s
from .values import text

if TYPE_CHECKING:
    from .broker import Broker
    from .runtime import Runtime
    from .streams import Stream

log = logging.getLogger("moorage_flow.log")

_OPTION = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def connect(runtime: Runtime, broker: Broker) -> None:
    """Join the application's sources and sinks to a broker. Raises AppInvalid."""
    for stream in list(runtime.streams.values()):
        for annotation in stream.definition.annotations:
            name = annotation.name.lower()
            if name in {"source", "sink"}:
                _connect(runtime, broker, stream, annotation)


def _connect(runtime: Runtime, broker: Broker, stream: Stream, annotation: s.Annotation) -> None:
    name = annotation.name.lower()
    place = stream.definition.place
    kind = (annotation.get("type") or "").lower()
    mapping = s.annotation(annotation.nested, "map")
    if mapping is not None:
        _check_mapping(stream, mapping)
    if name == "sink" and kind == "log":
        stream.listen(_logger(runtime, stream, annotation))
        return
    if kind != "inmemory":
        raise FunctionUnknown(f"no {name} is of type {kind or 'none'}", place)
    distribution = s.annotation(annotation.nested, "distribution")
    if name == "sink" and distribution is not None:
        stream.listen(_distributor(broker, stream, distribution))
        return
    topic = annotation.get("topic")
    if topic is None:
        raise AppInvalid(f"@{name} of type inMemory needs a topic", place)
    if name == "source":
        broker.subscribe(topic, lambda rows: runtime.send(stream.id, rows), runtime)
    else:
        publish = _publisher(broker, stream, topic)

        def receive(chunk: Chunk) -> None:
            for event in chunk:
                publish(event.data)

        stream.listen(receive)


def _check_mapping(stream: Stream, mapping: s.Annotation) -> None:
    place = stream.definition.place
    kind = mapping.get("type") or ""
    if kind.lower() != "passthrough":
        raise FunctionUnknown(f"no mapping is of type {kind or 'none'}", place)
    attributes = s.annotation(mapping.nested, "attributes")
    if attributes is None:
        return
    mapped = {name for name, _ in attributes.elements}
    if mapped == {None} and len(attributes.elements) == len(stream.attributes):
        return
    for attribute in stream.attributes:
        if attribute.name not in mapped:
            raise AppInvalid(f"@map of {stream.id}: {attribute.name} is not mapped", place)


def _publisher(broker: Broker, stream: Stream, topic: str) -> Callable[[list[Any]], None]:
    names = {a.name: (at, a.type) for at, a in enumerate(stream.attributes)}
    for name in _OPTION.findall(topic):
        if name not in names:
            raise AppInvalid(f"the topic {topic} names {name}, no attribute of {stream.id}")

    def publish(data: list[Any]) -> None:
        filled = _OPTION.sub(lambda m: text(data[names[m[1]][0]], names[m[1]][1]), topic)
        broker.publish(filled, [list(data)])

    return publish


def _distributor(
    broker: Broker, stream: Stream, distribution: s.Annotation
) -> Callable[[Chunk], None]:
    """Spread events over destinations: in turn, to all, or by the hash of a key."""
    place = stream.definition.place
    topics = [d.get("topic") for d in distribution.nested if d.name.lower() == "destination"]
    publishers = [_publisher(broker, stream, topic) for topic in topics if topic is not None]
    if not publishers or len(publishers) != len(topics):
        raise AppInvalid("@distribution needs destinations, each with a topic", place)
    strategy = (distribution.get("strategy") or "").lower()
    key = distribution.get("partitionKey")
    columns = [at for at, a in enumerate(stream.attributes) if a.name == key]
    if strategy not in {"roundrobin", "broadcast", "partitioned"}:
        raise FunctionUnknown(f"no distribution has the strategy {strategy or 'none'}", place)
    if strategy == "partitioned" and not columns:
        raise AppInvalid(f"@distribution: {key} is no attribute of {stream.id}", place)
    turn = 0

    def receive(chunk: Chunk) -> None:
        nonlocal turn
        for event in chunk:
            if strategy == "broadcast":
                chosen = publishers
            elif strategy == "roundrobin":
                chosen = [publishers[turn % len(publishers)]]
                turn += 1
            else:
                spread = java_hash(event.data[columns[0]])
                number = abs(spread - (1 << 32) if spread >= 1 << 31 else spread)
                chosen = [publishers[number % len(publishers)]]
            for publish in chosen:
                publish(event.data)

    return receive


_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "off": 0,
}


def _logger(runtime: Runtime, stream: Stream, annotation: s.Annotation) -> Callable[[Chunk], None]:
    priority = (annotation.get("priority") or "info").lower()
    level = _LEVELS.get(priority)
    if level is None:
        raise AppInvalid(f"@sink of type log: {priority} is no priority", stream.definition.place)
    prefix = annotation.get("prefix") or f"{runtime.app.name or 'app'} : {stream.id}"

    def receive(chunk: Chunk) -> None:
        for event in chunk:
            if level:
                log.log(
                    level,
                    "event",
                    extra={"flow_prefix": prefix, "flow_event": (event.ts, event.data)},
                )

    return receive
