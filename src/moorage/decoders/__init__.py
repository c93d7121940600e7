"""From bytes to readings, and back for downlinks."""

from .errors import (
    DecodeFailed,
    DecoderCrashed,
    DecoderOutOfMemory,
    DecoderResting,
    DecoderTimedOut,
    PayloadMalformed,
    ResultTooLarge,
    RuntimeUnavailable,
    ScriptInvalid,
)
from .model import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Location,
    Readings,
    Script,
    ScriptOutline,
    Trace,
    Value,
)
from .ports import DecoderRuntime, FunctionRuntime
from .service import take_readings

__all__ = [
    "DecodeBatch",
    "DecodeContext",
    "DecodeFailed",
    "DecodeFailure",
    "Decoded",
    "DecoderCrashed",
    "DecoderOutOfMemory",
    "DecoderResting",
    "DecoderRuntime",
    "DecoderTimedOut",
    "EncodeBatch",
    "EncodeContext",
    "Encoded",
    "FunctionRuntime",
    "Location",
    "PayloadMalformed",
    "Readings",
    "ResultTooLarge",
    "RuntimeUnavailable",
    "Script",
    "ScriptInvalid",
    "ScriptOutline",
    "Trace",
    "Value",
    "take_readings",
]
