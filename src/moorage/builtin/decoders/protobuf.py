"""Protocol Buffers by descriptor: the decoder's text names a message type of a descriptor set.

The text is a JSON object: `descriptor` is a `FileDescriptorSet` in base64, as
`protoc --include_imports --descriptor_set_out` writes it, `message` the type of uplinks, `ports`
other types by fPort, `downlink` the type that commands are encoded with.

Fields keep the names of the schema. Those without presence (proto3 scalars) are there with their
default when they were not sent, as their sender meant; int64 are numbers, bytes base64url, enums
their names, and google.protobuf's own types (Timestamp, Struct …) have their JSON form.

Source: protobuf.dev, Encoding; ProtoJSON Format; descriptor.proto.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from typing import Any, Final

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from moorage.plugin import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
    ScriptInvalid,
    ScriptOutline,
)

from .values import document_of, malformed

_KEPT: Final = 200
_MOST_VALUES: Final = 20_000


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    """What the decoder's text says."""

    descriptor: str
    message: str
    ports: dict[int, str] = {}
    downlink: str | None = None


class _Schema:
    """The message types that a text names."""

    def __init__(self, source: str) -> None:
        try:
            text = msgspec.json.decode(source, type=_Text)
            files = descriptor_pb2.FileDescriptorSet.FromString(
                base64.b64decode(text.descriptor, validate=True)
            )
            pool = descriptor_pool.DescriptorPool()
            for file in files.file:
                pool.Add(file)
            self._uplink = _type(pool, text.message)
            self._ports = {port: _type(pool, name) for port, name in text.ports.items()}
            self.downlink = None if text.downlink is None else _type(pool, text.downlink)
        except msgspec.MsgspecError as error:
            raise ScriptInvalid(reason=f"It is no JSON object as it should be: {error}") from error
        except binascii.Error as error:
            raise ScriptInvalid(reason="`descriptor` is not base64.") from error
        except DecodeError as error:
            raise ScriptInvalid(reason="`descriptor` is no FileDescriptorSet.") from error
        except (KeyError, TypeError, ValueError) as error:
            reason = str(error.args[0] if error.args else error)[:300]
            raise ScriptInvalid(reason=f"The descriptor does not fit: {reason}") from error

    def uplink(self, port: int | None) -> type[Message]:
        """Give the type of an uplink."""
        return self._uplink if port is None else self._ports.get(port, self._uplink)


def _type(pool: Any, name: str) -> type[Message]:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name.lstrip(".")))


class ProtobufRuntime:
    """Decodes and encodes with message types of a descriptor set."""

    api_version = 1
    name = "protobuf"
    needs_script = True
    content_types = ()

    def __init__(self) -> None:
        self._schemas: OrderedDict[str, _Schema] = OrderedDict()

    async def outline(self, batch: DecodeBatch) -> ScriptOutline:
        """Load the text. Raises ScriptInvalid."""
        schema = self._schema(batch.script)
        return ScriptOutline(decode="message", encode="downlink" if schema.downlink else None)

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        """Decode every message."""
        try:
            schema = self._schema(batch.script)
        except ScriptInvalid as error:
            return [DecodeFailure(error.code, str(error))] * len(batch.messages)
        if not batch.downlink:
            return [_decoded(schema.uplink(one.port), one) for one in batch.messages]
        if schema.downlink is None:
            return [_NO_DOWNLINK] * len(batch.messages)
        return [_decoded(schema.downlink, one) for one in batch.messages]

    async def encode(self, batch: EncodeBatch) -> list[Encoded | DecodeFailure]:
        """Encode every command."""
        try:
            downlink = self._schema(batch.script).downlink
        except ScriptInvalid as error:
            return [DecodeFailure(error.code, str(error))] * len(batch.messages)
        if downlink is None:
            return [_NO_DOWNLINK] * len(batch.messages)
        return [_encoded(downlink, one) for one in batch.messages]

    async def close(self) -> None:
        """Forget what was loaded."""
        self._schemas.clear()

    def _schema(self, script: Script | None) -> _Schema:
        if script is None:
            raise ScriptInvalid(reason="A descriptor is wanted.")
        if (known := self._schemas.get(script.hash)) is None:
            known = self._schemas[script.hash] = _Schema(script.source)
            if len(self._schemas) > _KEPT:
                self._schemas.popitem(last=False)
        self._schemas.move_to_end(script.hash)
        return known


_NO_DOWNLINK = DecodeFailure(
    ScriptInvalid.code, str(ScriptInvalid(reason="It names no type for `downlink`."))
)


def _decoded(kind: type[Message], message: DecodeContext) -> Decoded | DecodeFailure:
    try:
        return document_of(_Reader().read(kind.FromString(message.payload)))
    except DecodeError as error:
        return malformed(f"it is no {kind.DESCRIPTOR.full_name}: {error}")
    except (ValueError, OverflowError, json_format.SerializeToJsonError) as error:
        return malformed(error)


def _encoded(kind: type[Message], command: EncodeContext) -> Encoded | DecodeFailure:
    try:
        made = json_format.ParseDict(command.data, kind())
        return Encoded(made.SerializeToString(deterministic=True), command.port)
    except (json_format.ParseError, TypeError, AttributeError, ValueError) as error:
        return malformed(error)


class _Reader:
    """Makes plain values of messages; counts them, since a few bytes can name many defaults."""

    def __init__(self) -> None:
        self._seen = 0

    def read(self, message: Message) -> Any:
        described = message.DESCRIPTOR
        if described.file.package == "google.protobuf":
            return json_format.MessageToDict(message)
        found: dict[str, Any] = {}
        for field in described.fields:
            if field.has_presence and not message.HasField(field.name):
                continue
            found[field.name] = self._field(field, getattr(message, field.name))
        return found

    def _field(self, field: Any, value: Any) -> Any:
        self._seen += 1
        if self._seen > _MOST_VALUES:
            raise ValueError("it holds too many values")
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            inner = kind.fields_by_name["value"]
            return {str(key): self._one(inner, value[key]) for key in value}
        if field.is_repeated:
            return [self._one(field, item) for item in value]
        return self._one(field, value)

    def _one(self, field: Any, value: Any) -> Any:
        self._seen += 1
        if self._seen > _MOST_VALUES:
            raise ValueError("it holds too many values")
        if field.message_type is not None:
            return self.read(value)
        if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return value if known is None else known.name
        return value


runtime = ProtobufRuntime()
