"""The devices' HTTP door in the OpenAPI document; it stands beside the routers (`ingest.routes`).

Its callers are devices with keys of their own: what people and programs sign in with is refused
there, and a device's key is refused everywhere else.
"""

from __future__ import annotations

from typing import Any, Final

from moorage.kit.http import PROBLEM

DEVICE_SCHEMES: Final[dict[str, Any]] = {
    "deviceKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Device-Key",
        "description": "A device's key, or an application's inbox key together with `X-Sender`.",
    },
    "deviceBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A device's key as a bearer token.",
    },
    "devicePassword": {
        "type": "http",
        "scheme": "basic",
        "description": "A device's user name and password.",
    },
    "deviceKeyInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "A device's key, where the device can do no other.",
    },
}

_ANYTHING: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Values by name; or one message with its time and id, `values` inside.",
    "properties": {
        "at": {"description": "ISO 8601, or seconds, ms or µs since 1970."},
        "id": {"description": "The sender's own id; a repeat within 48 hours is not stored."},
        "values": {"description": "The values, nested as you like."},
    },
    "additionalProperties": True,
}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [_ITEM, {"type": "array", "items": _ITEM, "maxItems": 10_000}]},
            "examples": {
                "values": {"value": {"temperature": 21.5, "battery_v": 3.6}},
                "one": {"value": {"at": "2026-11-22T03:15:00Z", "id": "7", "values": {"t": 21.5}}},
                "several": {"value": [{"at": 1795317300, "values": {"t": 21.5}}, {"t": 21.6}]},
                "answer": {
                    "summary": "To `/op/{id}/result`.",
                    "value": {"state": "completed", "result": {"open": True}},
                },
            },
        },
        "application/octet-stream": {"schema": _ANYTHING},
        "text/plain": {"schema": {"type": "string"}},
        **{
            f"application/{name}": {"schema": _ANYTHING}
            for name in ("senml+json", "cbor", "senml+cbor", "msgpack", "xml")
        },
    },
}
_DOWNLINK: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "topic", "payload"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "topic": {"type": "string", "examples": ["v1/op/0198c0de-0000-7000-8000-000000000001"]},
        "payload": {
            "description": "The operation as MQTT gets it: `id`, `kind`, `code`, `payload`, "
            '`expiresAt`; or, encoded by the device\'s decoder, its bytes as `{"base64": …}`.'
        },
        "port": {"type": "integer", "description": "The port it is meant for, if any."},
    },
}
_ACCEPTED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["accepted"],
    "properties": {
        "accepted": {"type": "integer", "description": "Messages that are on disk now."},
        "downlinks": {
            "type": "array",
            "items": _DOWNLINK,
            "description": "What waited for the device, with `?downlinks=1`; claimed by this.",
        },
    },
}
_REFUSED: Final = {
    "400": "`ingest.message_malformed`: the body is not what its content type says.",
    "401": "`ingest.sender_unknown`: no device has this key.",
    "403": "`ingest.topic_refused`: a device may not send to this channel.",
    "405": "`method_not_allowed`: send messages by POST.",
    "413": "`ingest.message_too_large`: a message, or all of them, are too long.",
    "429": "`ingest.too_fast`, `ingest.too_many_attempts`: the answer names the bucket; see "
    "Retry-After.",
    "503": "`ingest.overloaded`, `ingest.disk_full`, `database_unavailable`: nothing was stored; "
    "see Retry-After.",
}
_QUERY: Final = (
    (
        "downlinks",
        {"type": "string", "enum": ["1", "true"]},
        "Take what waits for the device along in the answer; answer it at `/op/{id}/result`.",
    ),
    ("at", {"type": "string"}, "The time of messages that carry none: ISO 8601, or s, ms, µs."),
    ("sender", {"type": "string", "maxLength": 200}, "With an inbox key: who sends."),
)
_HEADERS: Final = (
    (
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
        "Names the messages of this body, so that a repeat within 48 hours is not stored.",
    ),
    ("X-Sender", {"type": "string", "maxLength": 200}, "With an inbox key: who sends."),
)


def _operation(name: str, summary: str, *, channel: bool) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": n, "in": where, "required": False, "schema": schema, "description": text}
        for where, given in (("query", _QUERY), ("header", _HEADERS))
        for n, schema, text in given
    ]
    if channel:
        named = {
            "name": "channel",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            "description": "Kept with the message; may hold slashes. `op/{id}/result` is the "
            "answer to an operation.",
        }
        parameters.insert(0, named)
    problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "tags": ["devices' door"],
        "operationId": name,
        "summary": summary,
        "description": "Answers once everything is on disk. A device asks here with its own key; "
        "what people and programs sign in with is no key of a device.",
        "security": [{scheme: []} for scheme in DEVICE_SCHEMES],
        "parameters": parameters,
        "requestBody": _BODY,
        "responses": {
            "202": {
                "description": "Stored.",
                "content": {"application/json": {"schema": _ACCEPTED}},
            },
            **{
                status: {"description": text, "content": problem}
                for status, text in _REFUSED.items()
            },
        },
    }


PATHS: Final[dict[str, Any]] = {
    "/ingest/v1/up": {
        "post": _operation("send_messages", "Send a message or several.", channel=False)
    },
    "/ingest/v1/up/{channel}": {
        "post": _operation("send_messages_to", "Send to a channel.", channel=True)
    },
}
