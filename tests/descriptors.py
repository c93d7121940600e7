"""A descriptor set as `protoc` would write it, for tests of Protocol Buffers."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import descriptor_pb2, timestamp_pb2

_F = descriptor_pb2.FieldDescriptorProto


def descriptor_set() -> bytes:
    """Describe the schema below.

    syntax = "proto3"; package acme; import "google/protobuf/timestamp.proto";
    enum Mode { OFF = 0; HEAT = 1; }
    message Part { double level = 1; }
    message Uplink { sint32 temperature = 1; int64 total = 2; bool open = 3; Mode mode = 4;
        repeated Part parts = 5; bytes raw = 6; optional uint32 battery = 7;
        google.protobuf.Timestamp at = 8; map<string, float> named = 9; }
    message Status { string text = 1; }
    message Command { uint32 interval = 1; }
    """
    files = descriptor_pb2.FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    file = files.file.add(name="acme.proto", package="acme", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    mode = file.enum_type.add(name="Mode")
    mode.value.add(name="OFF", number=0)
    mode.value.add(name="HEAT", number=1)
    file.message_type.add(name="Part").field.add(
        name="level", number=1, type=_F.TYPE_DOUBLE, label=_F.LABEL_OPTIONAL
    )
    uplink = file.message_type.add(name="Uplink")
    entry = uplink.nested_type.add(name="NamedEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_F.TYPE_STRING, label=_F.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_F.TYPE_FLOAT, label=_F.LABEL_OPTIONAL)
    uplink.oneof_decl.add(name="_battery")
    fields: list[tuple[str, Any, dict[str, Any]]] = [
        ("temperature", _F.TYPE_SINT32, {}),
        ("total", _F.TYPE_INT64, {}),
        ("open", _F.TYPE_BOOL, {}),
        ("mode", _F.TYPE_ENUM, {"type_name": ".acme.Mode"}),
        ("parts", _F.TYPE_MESSAGE, {"type_name": ".acme.Part", "label": _F.LABEL_REPEATED}),
        ("raw", _F.TYPE_BYTES, {}),
        ("battery", _F.TYPE_UINT32, {"proto3_optional": True, "oneof_index": 0}),
        ("at", _F.TYPE_MESSAGE, {"type_name": ".google.protobuf.Timestamp"}),
        (
            "named",
            _F.TYPE_MESSAGE,
            {"type_name": ".acme.Uplink.NamedEntry", "label": _F.LABEL_REPEATED},
        ),
    ]
    for number, (name, kind, more) in enumerate(fields, 1):
        uplink.field.add(
            **{"name": name, "number": number, "type": kind, "label": _F.LABEL_OPTIONAL, **more}
        )
    for name, field, kind in (
        ("Status", "text", _F.TYPE_STRING),
        ("Command", "interval", _F.TYPE_UINT32),
    ):
        file.message_type.add(name=name).field.add(
            name=field, number=1, type=kind, label=_F.LABEL_OPTIONAL
        )
    return files.SerializeToString()


def decoder_text(**changes: Any) -> str:
    """Write the text of a decoder of the schema."""
    text = {
        "descriptor": base64.b64encode(descriptor_set()).decode(),
        "message": "acme.Uplink",
        "ports": {"2": "acme.Status"},
        "downlink": "acme.Command",
    }
    return json.dumps(text | changes)
