"""HTTP of messages in: the device-facing door, and the list of what was turned away.

The door is a plain ASGI callable beside the API, so that a message costs no more than it must.
`POST /ingest/v1/up[/channel]` with a device's key or certificate; one message or several; it
answers 202 once everything is on disk. After `/ingest/` stands the topic that MQTT uses:
`v1/op/{id}/result` answers an operation, `v1/devices/{id}/…` is for gateways. `GET
/ingest/v1/op` takes the operations that wait.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response

from moorage import devices, ledger
from moorage.decoders import DecoderUnknown
from moorage.devices import DeviceUnknown
from moorage.groups import ApplicationUnknown
from moorage.kit import client_certificates, pages, trace
from moorage.kit.db import DatabaseUnavailable
from moorage.kit.errors import CursorInvalid, FieldInvalid, MoorageError
from moorage.kit.http import STATUS, TITLES, Asked, PageOut, Signed, Tx, may_fail
from moorage.kit.ids import uuid7_bytes
from moorage.organizations import PermissionMissing
from moorage.tasks import Task, TaskUnknown

from . import service
from .errors import (
    DiskFull,
    MessageMalformed,
    MessageTooLarge,
    NothingToDecode,
    Overloaded,
    ReDecodeNotReady,
    SenderUnknown,
    TooManyAttempts,
    TopicRefused,
)
from .model import RefusalRow
from .ports import Command, Credentials, Refusal
from .schemas import ReDecodeBody, ReDecodeOut, RefusalOut, WaitingOut, waiting_out

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ROOT = "/ingest/"
OPERATIONS = "v1/op"
CHIRPSTACK = "v1/chirpstack"
_TOPICS = ("v1/up", "v1/op", "v1/twin/", "v1/devices/", CHIRPSTACK)
LONGEST_CHANNEL = 128
_json = msgspec.json.Encoder().encode
_ACCEPTED_ONE = b'{"accepted":1}'
_JSON_HEADERS = [(b"content-type", b"application/json")]
_HEADERS = frozenset(
    (
        b"authorization",
        b"x-device-key",
        b"content-type",
        b"idempotency-key",
        b"content-length",
        b"x-sender",
        b"x-port",
    )
)
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
_PROBLEM_HEADERS = [(b"content-type", b"application/problem+json")]


def is_door(path: str) -> bool:
    """Tell whether a path is the door's."""
    return path.startswith(ROOT) or service.is_peers(path)


class UplinkDoor:
    """The ASGI callable of the device-facing HTTP door.

    `door` is set once the process has found the ledger, before the first request.
    """

    door: service.Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take in one request."""
        client = scope.get("client") or ("", 0)
        known: list[devices.Sender] = []
        try:
            with trace.span("messages.accept", parent=_traceparent(scope)):
                answer = self._answer if scope["path"].startswith(ROOT) else self._answer_as_peer
                status, body, headers = await answer(scope, receive, client[0], known)
        except MoorageError as failure:
            status, body, headers = _problem(failure)
            if status == 401 and scope["path"] == service.OS2IOT_URL:
                status = 403  # As OS2iot answers a key that it does not know.
            self._note(failure, client[0], scope["path"], known)
            if status == 401 and client_certificates.is_stray(scope):
                stray = client_certificates.UNTRUSTED
                self.door.refused(Refusal("proxy", stray, "http", client[0]))
        except asyncio.CancelledError:
            # The process stops and can wait no longer; the sender may take it for not stored.
            status, body, headers = _problem(Overloaded(retry_after_s=5))
            await _send(send, status, body, headers)
            raise
        await _send(send, status, body, headers)

    async def _answer(
        self, scope: Scope, receive: Receive, address: str, known: list[devices.Sender]
    ) -> Answer:
        """Answer one request; `known` gets the sender as soon as there is one."""
        topic = scope["path"][len(ROOT) :].rstrip("/")
        if not topic.startswith(_TOPICS):
            detail = f"Messages go to {ROOT}v1/up or {ROOT}v1/up/<channel>."
            return 404, _problem_body(404, "not_found", detail), _PROBLEM_HEADERS
        method = b"GET" if _is_operations(topic) else b"POST"
        if scope["method"].encode() != method:
            allowed = [*_PROBLEM_HEADERS, (b"allow", method)]
            detail = f"Send messages by POST, ask for operations by GET {ROOT}{OPERATIONS}."
            return 405, _problem_body(405, "method_not_allowed", detail), allowed
        headers = {name: value for name, value in scope["headers"] if name in _HEADERS}
        query = parse_qs(scope["query_string"].decode("latin-1")) if scope["query_string"] else {}
        certificate = client_certificates.shown(scope)
        credentials = _credentials(headers, query, address, scope["scheme"], certificate)
        if topic == CHIRPSTACK:
            if credentials.password is None:
                raise SenderUnknown  # Who it is for stands in the body, which nobody may send.
            body = await _body(receive, headers, self.door.settings.largest_message)
            return await self._take_event(credentials, body, query, known)
        sender = await self.door.identify_device(credentials)
        known.append(sender)
        if method == b"GET":
            return await self._poll(sender, topic)
        uplink = self.door.uplink(sender, topic)
        channel = "" if uplink is None else uplink.channel
        if uplink is None or len(channel) > LONGEST_CHANNEL or not channel.isprintable():
            raise TopicRefused(topic=topic[:LONGEST_CHANNEL])
        payload = await _body(receive, headers, self.door.settings.largest_batch)
        messages = self._messages(uplink.device, channel, payload, headers, query)
        await self.door.accept_durably(messages)
        if query.get("downlinks", [""])[0] not in ("1", "true"):
            body = _ACCEPTED_ONE if len(messages) == 1 else b'{"accepted":%d}' % len(messages)
            return 202, body, _JSON_HEADERS
        down = await self.door.take_commands(uplink.device)
        answer = {"accepted": len(messages), "downlinks": [_downlink(c) for c in down]}
        return 202, _json(answer), _JSON_HEADERS

    async def _answer_as_peer(
        self, scope: Scope, receive: Receive, address: str, known: list[devices.Sender]
    ) -> Answer:
        """Answer a device that sends as it did to another platform, as that one did."""
        if scope["method"] != "POST":
            allowed = [*_PROBLEM_HEADERS, (b"allow", b"POST")]
            return 405, _problem_body(405, "method_not_allowed", "Send messages by POST."), allowed
        headers = {name: value for name, value in scope["headers"] if name in _HEADERS}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        path, is_os2iot = scope["path"], scope["path"] == service.OS2IOT_URL
        if is_os2iot:
            key = query.get("apiKey", [""])[0].encode()
            credentials = Credentials(None, key, "", address, "http", scope["scheme"] == "https")
        else:
            credentials = _credentials(headers, query, address, scope["scheme"])
        sender = await self.door.identify_device(credentials)
        known.append(sender)
        own = (
            sender.platform is devices.Platform.OS2IOT
            if is_os2iot
            else service.is_wso2_path(sender, path[len(service.WSO2_URL) :])
        )
        if not own:
            raise TopicRefused(topic=path[:LONGEST_CHANNEL])
        payload = await _body(receive, headers, self.door.settings.largest_batch)
        await self.door.accept_durably(self._messages(sender.number, "", payload, headers, {}))
        return (204, b"", []) if is_os2iot else (200, _ACCEPTED_ONE, _JSON_HEADERS)

    async def _poll(self, sender: devices.Sender, topic: str) -> Answer:
        """Hand over the operations that wait for the device, or for one behind a gateway."""
        speaker: devices.Sender | None = sender
        if topic != OPERATIONS:
            speaker = self.door.speaker(sender, topic.split("/")[2])
        if speaker is None:
            raise TopicRefused(topic=topic[:LONGEST_CHANNEL])
        down = await self.door.poll(speaker.number)
        return 200, _json({"downlinks": [_downlink(c) for c in down]}), _JSON_HEADERS

    async def _take_event(
        self,
        credentials: Credentials,
        body: bytes,
        query: dict[str, list[str]],
        known: list[devices.Sender],
    ) -> Answer:
        """Take in an event of a ChirpStack server for the device it names."""
        event = service.unwrap(body, query.get("event", [""])[0])
        sender = await self.door.identify_device(replace(credentials, dev_eui=event.dev_eui))
        known.append(sender)
        if sender.is_gateway:
            topic = f"v1/devices/{event.dev_eui}/up"
            child = self.door.speaker(sender, event.dev_eui)
            if child is None:
                raise TopicRefused(topic=topic)
            sender = child
        message = self._message(sender.number, event.channel, event.part, "", event.meta)
        await self.door.accept_durably([message])
        return 202, _ACCEPTED_ONE, _JSON_HEADERS

    def _messages(
        self,
        device: int,
        channel: str,
        payload: bytes,
        headers: dict[bytes, bytes],
        query: dict[str, list[str]],
    ) -> list[ledger.RawMessage]:
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        service.check(payload, content_type)
        parts = service.split(payload, content_type)
        largest = self.door.settings.largest_message
        if (size := max((len(part.payload) for part in parts), default=0)) > largest:
            raise MessageTooLarge(size=size, limit=largest)
        key = headers.get(b"idempotency-key")
        device_us = service.device_us(_number(query["at"][0])) if "at" in query else None
        port = _port(headers, query)
        messages = []
        for index, part in enumerate(parts):
            if part.own_id is None and key is not None:
                part.own_id = f"{key.decode('latin-1')}:{index}"
            if part.device_us is None:
                part.device_us = device_us
            own_port = port if part.port is None else part.port
            meta = {} if own_port is None else {"port": own_port}
            messages.append(self._message(device, channel, part, content_type, meta))
        return messages

    def _message(
        self,
        device: int,
        channel: str,
        part: service.Part,
        content_type: str,
        meta: dict[str, Any],
    ) -> ledger.RawMessage:
        if traceparent := trace.current():
            meta[trace.HEADER] = traceparent
        own_id = part.own_id
        return ledger.RawMessage(
            device,
            uuid7_bytes() if own_id is None else ledger.message_key(device, own_id),
            service.now_us(),
            ledger.Protocol.HTTP,
            channel,
            part.payload,
            content_type,
            0,
            part.device_us,
            meta or None,
            own_id is not None,
        )

    def _note(
        self, failure: MoorageError, address: str, path: str, known: list[devices.Sender]
    ) -> None:
        reason = {
            413: "oversize", 400: "malformed", 403: "topic", 429: "rate", 503: "overload",
        }.get(STATUS[failure.kind])  # fmt: skip
        if isinstance(failure, DiskFull):
            reason = "disk"
        # Wrong credentials were listed where they were looked up.
        if reason is None or isinstance(failure, SenderUnknown | TooManyAttempts):
            return
        # The sentence names no figures that change, so that the same refusal is counted, not
        # listed again.
        detail = type(failure).__doc__ or failure.code
        device = known[0].number if known else None
        self.door.refused(Refusal(reason, detail, "http", address, path[:64], device))


def _is_operations(topic: str) -> bool:
    """Tell whether a path asks for operations: one's own, or those of a device behind it."""
    return topic == OPERATIONS or (
        topic.startswith("v1/devices/") and topic.endswith("/op") and topic.count("/") == 3
    )


def _downlink(command: Command) -> dict[str, Any]:
    payload: Any = {"base64": base64.b64encode(command.payload).decode()}
    if service.says_json(command.meta["content_type"]):
        payload = msgspec.Raw(command.payload)
    port = {"port": command.meta["port"]} if "port" in command.meta else {}
    return {"id": str(command.id), "topic": f"v1/op/{command.id}", "payload": payload, **port}


def _port(headers: dict[bytes, bytes], query: dict[str, list[str]]) -> int | None:
    """Read the port that the query or a header gives. Raises MessageMalformed."""
    text = query["port"][0] if "port" in query else headers.get(b"x-port", b"").decode("latin-1")
    if not text:
        return None
    if (port := service.read_port(text)) is None:
        raise MessageMalformed(format="port", reason="a port is a number from 0 to 255")
    return port


def _traceparent(scope: Scope) -> str:
    """Give the trace that a request belongs to, by W3C Trace Context."""
    if trace.is_on():
        for name, value in scope["headers"]:
            if name == b"traceparent":
                return str(value.decode("latin-1"))
    return ""


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _credentials(
    headers: dict[bytes, bytes],
    query: dict[str, list[str]],
    address: str,
    scheme: str,
    certificate: bytes = b"",
) -> Credentials:
    username, password = None, headers.get(b"x-device-key")
    authorization = headers.get(b"authorization", b"")
    kind, _, value = authorization.partition(b" ")
    if password is None and kind.lower() == b"bearer":
        password = value.strip()
    elif password is None and kind.lower() == b"basic":
        try:
            pair = base64.b64decode(value, validate=True)
        except binascii.Error:
            pair = b""
        name, _, password = pair.partition(b":")
        username = name.decode("utf-8", "replace")
    elif password is None and "key" in query:
        password = query["key"][0].encode()
    sender = headers.get(b"x-sender", b"").decode("utf-8", "replace")
    sender = sender or query.get("sender", [""])[0]
    is_tls = scheme == "https"
    return Credentials(username, password, sender, address, "http", is_tls, certificate=certificate)


async def _body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise MessageTooLarge(size=int(declared), limit=limit)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise MessageMalformed(format="HTTP", reason="the connection ended before the message")
        more = event.get("more_body", False)
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise MessageTooLarge(size=size, limit=limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return unquote(text)


def _problem(failure: MoorageError) -> Answer:
    status = STATUS[failure.kind]
    headers = list(_PROBLEM_HEADERS)
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="moorage"'))
    if status in (429, 503):
        wait_s = max(1, round(float(failure.public.get("retry_after_s", 1))))
        headers.append((b"retry-after", str(wait_s).encode()))
    return status, _problem_body(status, failure.code, str(failure)), headers


def _problem_body(status: int, code: str, detail: str) -> bytes:
    return _json(
        {
            "type": "about:blank", "title": TITLES.get(status, "Error"), "status": status,
            "code": code, "detail": detail, "errors": [],
        }
    )  # fmt: skip


# --- For people -----------------------------------------------------------

router = APIRouter(prefix="/api/v1/refusals", tags=["messages"])


@router.get("", response_model=PageOut[RefusalOut],
            responses=may_fail(CursorInvalid, FieldInvalid, DatabaseUnavailable))  # fmt: skip
async def list_refusals(
    tx: Tx, caller: Signed, asked: Asked,
    since: Annotated[datetime | None, Query(description="Only what happened since.")] = None,
    device_id: Annotated[UUID | None, Query(alias="deviceId")] = None,
) -> pages.Page[RefusalRow]:  # fmt: skip
    """List what the doors turned away: of your devices, and, for a GlobalAdmin, of strangers."""
    return await service.list_refusals(tx, caller, asked, since=since, device_id=device_id)


# --- Re-decode --------------------------------------------------------------

re_decodes = APIRouter(prefix="/api/v1", tags=["decoders"])


@re_decodes.post("/decoders/{decoder_id}/re-decode", status_code=202, response_model=ReDecodeOut,
                 responses=may_fail(DecoderUnknown, ApplicationUnknown, DeviceUnknown,
                                    PermissionMissing, FieldInvalid, NothingToDecode))  # fmt: skip
async def ask_re_decode(
    decoder_id: UUID, body: ReDecodeBody, tx: Tx, caller: Signed, response: Response
) -> Task:
    """Decode messages of a period anew; what stands remains until the result is applied."""
    task = await service.ask(tx, caller, decoder_id, body.to_model())
    response.headers["Location"] = f"/api/v1/tasks/{task.id}"
    return task


@re_decodes.post("/re-decodes/{task_id}/apply", response_model=ReDecodeOut,
                 responses=may_fail(TaskUnknown, PermissionMissing,
                                    ReDecodeNotReady))  # fmt: skip
async def apply_re_decode(task_id: UUID, tx: Tx, caller: Signed) -> Task:
    """Put the readings that were decoded anew in place of the old ones, in one step."""
    return await service.apply(tx, caller, task_id)


@re_decodes.post("/re-decodes/{task_id}/discard", response_model=ReDecodeOut,
                 responses=may_fail(TaskUnknown, PermissionMissing,
                                    ReDecodeNotReady))  # fmt: skip
async def discard_re_decode(task_id: UUID, tx: Tx, caller: Signed) -> Task:
    """Drop the readings that were decoded anew; the old ones remain."""
    return await service.discard(tx, caller, task_id)


inbox = APIRouter(prefix="/api/v1/inbox", tags=["inbox"])


@inbox.get("", response_model=PageOut[WaitingOut],
           responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_inbox(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
) -> pages.Page[WaitingOut]:  # fmt: skip
    """List senders that nobody has adopted yet, with what they said last."""
    page = await service.list_waiting(tx, caller, asked, organization_id, application_id)
    return pages.Page([waiting_out(one) for one in page.items], page.next, page.total)
