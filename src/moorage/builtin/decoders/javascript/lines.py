"""What goes to a decoder process and what its lines mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from moorage.plugin import (
    DecodeContext,
    Decoded,
    DecodeFailed,
    DecodeFailure,
    DecoderCrashed,
    DecoderOutOfMemory,
    DecoderResting,
    DecoderTimedOut,
    EncodeContext,
    Encoded,
    MoorageError,
    PayloadMalformed,
    ResultTooLarge,
    ScriptInvalid,
    Trace,
    take_readings,
)

from .process import Limits

WANTED: Final = {
    "decode": "it has none of the functions decodeUplink(input), decode(payload, metadata), "
    "Decode(fPort, bytes, variables), Decoder(bytes, port)",
    "decode_downlink": "it has no function decodeDownlink(input)",
    "encode": "it has none of the functions encodeDownlink(input), Encode(fPort, data, variables), "
    "Encoder(data, port)",
}
_WRAPPED = {"decodeUplink", "decodeDownlink"}
_FRAME = re.compile(r"<input>:(\d+)")
_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"")


class _Line(msgspec.Struct, array_like=True):
    status: int
    result: msgspec.Raw = _NOTHING
    second: Any = 0
    log: Any = ()


class _Wrapped(msgspec.Struct):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    warnings: Any = None
    errors: Any = None


class _Downlink(msgspec.Struct):
    bytes: Any = None
    fPort: Any = None  # noqa: N815 - the network servers' spelling.
    warnings: Any = None
    errors: Any = None


_read_line = msgspec.json.Decoder(_Line).decode
_read_wrapped = msgspec.json.Decoder(_Wrapped).decode
_read_downlink = msgspec.json.Decoder(_Downlink).decode
_read = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.DecodeError, RecursionError)


def pick(functions: dict[str, int], purpose: str) -> str | None:
    """Choose the function for a purpose from those a script has (name to number of parameters).

    Scripts often carry several: `decodeUplink` wrapping an older `Decode` or `Decoder`, or a helper
    named `decode` with one parameter, or three in the widespread lora-serialization library.
    """
    if purpose == "decode_downlink":
        return "decodeDownlink" if "decodeDownlink" in functions else None
    if purpose == "encode":
        order = ["encodeDownlink", "Encode", "Encoder"]
    elif functions.get("decode") == 2:
        order = ["decodeUplink", "decode"]
    else:
        order = ["decodeUplink", "Decode", "Decoder", "decode"]
    return next((name for name in order if name in functions), None)


def read_outline(line: Any, limits: Limits) -> dict[str, int]:
    """Read the answer to a load. Raises ScriptInvalid."""
    match line:
        case [0, list(functions), *_]:
            return {str(name): int(parameters) for name, parameters in functions}
        case [1, str(message), str(stack), *_]:
            number = _line_number(stack)
            where = f" (line {number})" if number else ""
            raise ScriptInvalid(reason=f"{message}{where}")
        case [2, *_]:
            raise ScriptInvalid(reason=f"loading it takes longer than {limits.message_s} s")
    raise ScriptInvalid(reason=f"loading it takes more than {limits.memory_mib} MiB of memory")


def decode_input(function: str, message: DecodeContext) -> bytes | DecodeFailure:
    """Write one message as the harness takes it for `function`."""
    if function != "decode":
        instant_ms = int(message.received_at.timestamp() * 1000)
        return _encode((list(message.payload), message.port, instant_ms, message.variables or {}))
    try:
        return _encode((_event(message), {} if message.device is None else message.device))
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return DecodeFailure(
            PayloadMalformed.code, f"The message cannot be given to a script: {error}"
        )


def _event(message: DecodeContext) -> Any:
    if message.event is not None:
        return message.event
    if message.payload[:1] in {b"{", b"["} or "json" in (message.content_type or ""):
        try:
            return _read(message.payload)
        except _UNREADABLE:
            pass  # Bytes that only looked like JSON.
    return {
        "data": base64.b64encode(message.payload).decode(),
        "fPort": message.port,
        "recvTime": message.received_at,
    }


def encode_input(message: EncodeContext) -> bytes | DecodeFailure:
    """Write one command as the harness takes it."""
    try:
        return _encode((message.data, message.port, message.variables or {}, message.code))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return DecodeFailure(DecodeFailed.code, f"The command cannot be given to a script: {error}")


def portions(messages: Sequence[bytes], limits: Limits) -> Iterator[Sequence[bytes]]:
    """Cut the messages into requests of bounded count and size."""
    start = size = 0
    for index, message in enumerate(messages):
        size += len(message)
        if index > start and (index - start >= limits.batch_messages or size > limits.batch_bytes):
            yield messages[start:index]
            start, size = index, len(message)
    if start < len(messages):
        yield messages[start:]


def read_decoded(
    answer: Sequence[bytes], function: str, limits: Limits, *, trace: bool
) -> list[Decoded | DecodeFailure]:
    """Turn the lines of a decode into documents with readings."""
    wrapped = function in _WRAPPED
    results: list[Decoded | DecodeFailure] = []
    for text in answer:
        try:
            line = _read_line(text)
            if line.status != 0:
                results.append(_failure(line, function, limits))
            else:
                results.append(_decoded(line, function, wrapped, trace))
        except _UNREADABLE as error:
            results.append(DecodeFailure(DecodeFailed.code, f"The result cannot be read: {error}"))
    return results


def _decoded(line: _Line, function: str, wrapped: bool, trace: bool) -> Decoded | DecodeFailure:
    document = bytes(line.result)
    problems: tuple[str, ...] = ()
    if wrapped:
        try:
            result = _read_wrapped(document)
        except msgspec.ValidationError:
            result = _Wrapped()
        if result.errors:
            return DecodeFailure(
                DecodeFailed.code,
                f"{function} reported: " + "; ".join(_texts(result.errors)),
                reported=_texts(result.errors),
                trace=_trace(line, function, trace),
            )
        if result.warnings:
            problems = _texts(result.warnings)
        if isinstance(result.data, msgspec.UnsetType):
            problems += (f"{function} returned no `data`; the whole result was taken.",)
        else:
            document = bytes(result.data)
    value = _read(document)
    shown = _trace(line, function, trace)
    if value is None:
        return Decoded(None, problems=problems, trace=shown)
    readings, dropped = take_readings(value)
    lost = line.second if type(line.second) is int else 0
    return Decoded(document, readings, problems, dropped + lost, shown)


def read_encoded(
    answer: Sequence[bytes], function: str, limits: Limits
) -> list[Encoded | DecodeFailure]:
    """Turn the lines of an encode into payloads."""
    results: list[Encoded | DecodeFailure] = []
    for text in answer:
        try:
            line = _read_line(text)
            if line.status != 0:
                results.append(_failure(line, function, limits))
            else:
                results.append(_encoded(line, function))
        except _UNREADABLE as error:
            results.append(DecodeFailure(DecodeFailed.code, f"The result cannot be read: {error}"))
    return results


def _encoded(line: _Line, function: str) -> Encoded | DecodeFailure:
    shown = _trace(line, function, False)
    value = bytes(line.result)
    is_object = value.startswith(b"{")
    result = _read_downlink(value) if is_object else _Downlink(bytes=_read(value))
    if result.errors:
        return DecodeFailure(
            DecodeFailed.code,
            f"{function} reported: " + "; ".join(_texts(result.errors)),
            reported=_texts(result.errors),
            trace=shown,
        )
    payload = result.bytes
    if not isinstance(payload, list) or not all(
        type(byte) is int and -128 <= byte <= 255 for byte in payload
    ):
        return DecodeFailure(
            DecodeFailed.code,
            f"{function} must return an array of bytes (0 to 255), or an object with `bytes`.",
            trace=shown,
        )
    port = result.fPort if type(result.fPort) is int else None
    return Encoded(bytes(b & 255 for b in payload), port, _texts(result.warnings), shown)


def _failure(line: _Line, function: str, limits: Limits) -> DecodeFailure:
    if line.status == 1:
        message, stack = _read(line.result), str(line.second)
        return DecodeFailure(
            DecodeFailed.code,
            str(message),
            _line_number(stack),
            trace=Trace(function, _texts(line.log), _own_frames(stack)),
        )
    error: MoorageError
    match line.status:
        case 2:
            error = DecoderTimedOut(limit_s=limits.message_s)
        case 3:
            error = DecoderOutOfMemory(limit_mib=limits.memory_mib)
        case 4:
            error = DecoderResting()
        case 5:
            error = ResultTooLarge(limit_kib=limits.result_bytes >> 10)
        case _:
            error = DecoderCrashed()
    return DecodeFailure(error.code, str(error))


def _trace(line: _Line, function: str, wanted: bool) -> Trace | None:
    return Trace(function, _texts(line.log)) if line.log or wanted else None


def _texts(value: Any) -> tuple[str, ...]:
    """Whatever a script gave as a list of texts, as at most fifty short ones."""
    if value is None:
        return ()
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(
        (item if isinstance(item, str) else _encode(item).decode())[:500] for item in items[:50]
    )


def _line_number(stack: str) -> int | None:
    found = _FRAME.search(_own_frames(stack))
    return int(found[1]) if found else None


def _own_frames(stack: str) -> str:
    """Cut off the harness: its `moorageMessage`, and the frame by which that calls the script."""
    frames = [frame.strip() for frame in stack.splitlines()]
    for index, frame in enumerate(frames):
        if frame.startswith("at moorageMessage ("):
            return "\n".join(frames[: max(index - 1, 0)])
    return "\n".join(frames)
