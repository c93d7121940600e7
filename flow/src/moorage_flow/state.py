"""Snapshots: everything an application remembers, as bytes, and back.

The format is a header and a pickle; it is read with an unpickler that knows only this package's
state and Python's
plain containers, so that bytes from outside cannot run code.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import TYPE_CHECKING, Any

from .errors import StateInvalid

if TYPE_CHECKING:
    from .runtime import Runtime

MAGIC = b"moorage-flow"
VERSION = 1

_PLAIN = {
    ("collections", "deque"),
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "complex"),
    ("builtins", "bytearray"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = module.startswith(f"{__package__}.") and "." not in name
        if known:
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise StateInvalid(f"a snapshot holds no {module}.{name}")


def fingerprint(text: str) -> bytes:
    """Give what tells an application's snapshots from another's."""
    return hashlib.sha256(" ".join(text.split()).encode()).digest()[:8]


def save(runtime: Runtime) -> bytes:
    """Write a runtime's state; the same state gives the same bytes."""
    flow = runtime.flow
    content = {
        "clock": (flow.clock.now, flow.clock.event_time),
        "holders": flow.states(),
        "timers": [
            {partition: list(queue) for partition, queue in scheduler.queues.items()}
            for scheduler in flow.clock.schedulers
        ],
        "tables": {name: table.state() for name, table in sorted(runtime.tables.items())},
        "started": runtime.started,
        "columnar": runtime.on_columns(),
    }
    body = pickle.dumps(content, protocol=5)
    return MAGIC + bytes([VERSION]) + fingerprint(runtime.app.text) + body


def load(runtime: Runtime, data: bytes) -> None:
    """Take over a saved state. Raises StateInvalid."""
    head = len(MAGIC)
    if data[:head] != MAGIC:
        raise StateInvalid("this is no snapshot")
    if data[head] != VERSION:
        raise StateInvalid(f"the snapshot is of version {data[head]}, this engine reads {VERSION}")
    if data[head + 1 : head + 9] != fingerprint(runtime.app.text):
        raise StateInvalid("the snapshot is of another application")
    try:
        content = _Unpickler(io.BytesIO(data[head + 9 :])).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        IndexError,
        TypeError,
        ValueError,
    ) as error:
        raise StateInvalid(f"the snapshot is damaged: {error}") from None
    if content.get("columnar", []) != runtime.on_columns():
        raise StateInvalid(
            "the snapshot was taken where other queries ran on columns:"
            " restore it with the same path and the same extensions"
        )
    if content["started"]:
        # What begins with the start is in the snapshot: begun later, it would be there twice.
        runtime.start()
    flow = runtime.flow
    now, on_event_time = content["clock"]
    if on_event_time:
        flow.clock.restore(now)
    flow.restore(content["holders"])
    for scheduler, queues in zip(flow.clock.schedulers, content["timers"], strict=False):
        scheduler.restore(queues)
    for name, table in runtime.tables.items():
        table.restore(content["tables"][name])
