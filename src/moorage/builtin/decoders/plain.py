"""The common formats, read without any decoder being chosen."""

from moorage.plugin import FunctionRuntime

from .values import decode_cbor, decode_json, decode_messagepack
from .xml import decode_xml

json = FunctionRuntime("json", decode_json, content_types=("application/json", "text/json"))
cbor = FunctionRuntime("cbor", decode_cbor, content_types=("application/cbor",))
messagepack = FunctionRuntime(
    "messagepack",
    decode_messagepack,
    content_types=(
        "application/msgpack",
        "application/vnd.msgpack",
        "application/x-msgpack",
    ),
)
xml = FunctionRuntime("xml", decode_xml, content_types=("application/xml", "text/xml"))
