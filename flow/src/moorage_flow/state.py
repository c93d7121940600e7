"""Snapshots: everything an application remembers, as bytes, and back.

The format is a header and a pickle; it is read with an unpickler that knows only this package's
state and Python's plain containers, so that bytes from outside cannot run code. The header says the
version and the application, and since version 2 the CRC-32 of the pickle.
"""

from __future__ import annotations

import io
import pickle
import zlib
from typing import TYPE_CHECKING, Any

from .errors import StateInvalid

if TYPE_CHECKING:
    from .runtime import Runtime

MAGIC = b"moorage-flow"
VERSION = 2
READ = {1: 0, 2: 4}
"""The versions that are read, and how many bytes of checksum each has."""

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
    import hashlib  # Only here: it takes 3.5 MB.

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
    checksum = zlib.crc32(body).to_bytes(4, "big")
    return MAGIC + bytes([VERSION]) + fingerprint(runtime.app.text) + checksum + body


def _content(runtime: Runtime, data: bytes) -> dict[str, Any]:
    head = len(MAGIC)
    if data[:head] != MAGIC or len(data) == head:
        raise StateInvalid("this is no snapshot")
    version = data[head]
    if version not in READ:
        known = " and ".join(map(str, READ))
        raise StateInvalid(f"the snapshot is of version {version}, this engine reads {known}")
    if data[head + 1 : head + 9] != fingerprint(runtime.app.text):
        raise StateInvalid("the snapshot is of another application")
    checksum, body = data[head + 9 : head + 9 + READ[version]], data[head + 9 + READ[version] :]
    if checksum and int.from_bytes(checksum, "big") != zlib.crc32(body):
        raise StateInvalid("the snapshot is damaged: its checksum is another")
    try:
        content = _Unpickler(io.BytesIO(body)).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ImportError,
        AttributeError,
        LookupError,
        MemoryError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise StateInvalid(f"the snapshot is damaged: {error}") from None
    parts = {"clock", "holders", "timers", "tables", "started"}
    if not isinstance(content, dict) or not parts <= content.keys():
        raise StateInvalid("the snapshot is damaged: parts of it are missing")
    return content


def load(runtime: Runtime, data: bytes) -> None:
    """Take over a saved state. Raises StateInvalid."""
    content = _content(runtime, data)
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
