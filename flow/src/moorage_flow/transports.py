"""`@source` and `@sink` of type inMemory: streams joined to the topics of a broker.

Source: Siddhi 5.1 API (core), source inMemory and sink inMemory with the passThrough mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid, FunctionUnknown
from .events import Chunk
from .language import syntax as s
from .values import text

if TYPE_CHECKING:
    from .broker import Broker, Rows
    from .runtime import Runtime
    from .streams import Stream

_OPTION = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def connect(runtime: Runtime, broker: Broker) -> None:
    """Join the application's sources and sinks to a broker. Raises AppInvalid."""
    for stream in list(runtime.streams.values()):
        for annotation in stream.definition.annotations:
            name = annotation.name.lower()
            if name not in {"source", "sink"}:
                continue
            kind = annotation.get("type")
            if kind is None or kind.lower() != "inmemory":
                raise FunctionUnknown(f"no {name} is of type {kind}", stream.definition.place)
            topic = annotation.get("topic")
            if topic is None:
                raise AppInvalid(f"@{name} of type inMemory needs a topic", stream.definition.place)
            if name == "source":
                broker.subscribe(topic, _taker(runtime, stream), runtime)
            else:
                stream.receivers.append(_publisher(broker, stream, topic))


def _taker(runtime: Runtime, stream: Stream) -> Callable[[Rows], None]:
    return lambda rows: runtime.send(stream.id, rows)


def _publisher(broker: Broker, stream: Stream, topic: str) -> Callable[[Chunk], None]:
    names = {a.name: (at, a.type) for at, a in enumerate(stream.attributes)}
    for name in _OPTION.findall(topic):
        if name not in names:
            raise AppInvalid(f"the topic {topic} names {name}, no attribute of {stream.id}")

    def filled(data: list[Any]) -> str:
        return _OPTION.sub(lambda m: text(data[names[m[1]][0]], names[m[1]][1]), topic)

    def publish(chunk: Chunk) -> None:
        for event in chunk:
            broker.publish(filled(event.data), [list(event.data)])

    return publish
