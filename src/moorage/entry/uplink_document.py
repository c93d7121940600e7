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
    "deviceCertificate": {
        "type": "mutualTLS",
        "description": "A certificate of the device, where the operator lets the proxy ask for one "
        "(`api.client_certificates`); beside a key it does not count.",
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
    "405": "`method_not_allowed`: messages are sent by POST, operations asked for by GET.",
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


_PROBLEM: Final = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_CHANNEL: Final = {
    "name": "channel",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "Kept with the message; may hold slashes.",
}
_DEVICE: Final = {
    "name": "device_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "The id or devEui of a device behind this gateway, or the sender's own id.",
}
_OPERATION: Final = {
    "name": "operation_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
_EVENT: Final = {
    "name": "event",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "examples": ["up", "join", "status", "location"]},
    "description": "What a ChirpStack server adds by itself.",
}
_TAKEN: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["downlinks"],
    "properties": {"downlinks": {"type": "array", "items": _DOWNLINK}},
}


def _operation(
    name: str,
    summary: str,
    *parameters: dict[str, Any],
    body: dict[str, Any] | None = _BODY,
    common: bool = True,
) -> dict[str, Any]:
    """Describe a way in; without `body` it takes what waits."""
    given = [
        {"name": n, "in": where, "required": False, "schema": schema, "description": text}
        for where, some in (("query", _QUERY), ("header", _HEADERS))
        for n, schema, text in some
    ]
    status, told, schema = (
        ("202", "Stored.", _ACCEPTED) if body else ("200", "What waited, claimed by this.", _TAKEN)
    )
    answers = {status: {"description": told, "content": {"application/json": {"schema": schema}}}}
    return {
        "tags": ["devices-door"],
        "operationId": name,
        "summary": summary,
        "description": "Answers once everything is on disk. A device asks here with its own key; "
        "what people and programs sign in with is no key of a device.",
        "security": [{scheme: []} for scheme in DEVICE_SCHEMES],
        "parameters": [*parameters, *(given if body and common else [])],
        **({"requestBody": body} if body else {}),
        "responses": answers
        | {code: {"description": text, "content": _PROBLEM} for code, text in _REFUSED.items()},
    }


_RESULT: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["state"],
                "properties": {
                    "state": {
                        "type": "string",
                        "enum": ["inProgress", "notNow", "completed", "error", "repeated"],
                    },
                    "result": {"description": "What came of it."},
                    "problem": {"type": "string"},
                },
            },
            "examples": {"done": {"value": {"state": "completed", "result": {"open": True}}}},
        }
    },
}
_ANY_OBJECT: Final[dict[str, Any]] = {
    "required": True,
    "content": {"application/json": {"schema": {"type": "object"}}},
}

PATHS: Final[dict[str, Any]] = {
    "/ingest/v1/up": {"post": _operation("send_messages", "Send a message or several.")},
    "/ingest/v1/up/{channel}": {
        "post": _operation("send_messages_to", "Send to a channel.", _CHANNEL)
    },
    "/ingest/v1/op": {
        "get": _operation("take_operations", "Take the operations that wait.", body=None)
    },
    "/ingest/v1/op/{operation_id}/result": {
        "post": _operation("report_result", "Answer an operation.", _OPERATION, body=_RESULT)
    },
    "/ingest/v1/devices/{device_id}/up": {
        "post": _operation("send_for_device", "Send for a device behind a gateway.", _DEVICE)
    },
    "/ingest/v1/devices/{device_id}/up/{channel}": {
        "post": _operation(
            "send_for_device_to", "Send to a channel of a device behind a gateway.",
            _DEVICE, _CHANNEL,
        )
    },
    "/ingest/v1/devices/{device_id}/op": {
        "get": _operation(
            "take_operations_for", "Take the operations of a device behind a gateway.", _DEVICE,
            body=None,
        )
    },
    "/ingest/v1/devices/{device_id}/op/{operation_id}/result": {
        "post": _operation(
            "report_result_for", "Answer an operation of a device behind a gateway.",
            _DEVICE, _OPERATION, body=_RESULT,
        )
    },
    "/ingest/v1/chirpstack": {
        "post": _operation(
            "send_event", "Send an event of a ChirpStack server's HTTP integration.", _EVENT,
            body=_ANY_OBJECT, common=False,
        )
    },
}  # fmt: skip
