"""The door for brokers in front: an ASGI callable before everything else, since they ask a lot."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from moorage import ingest
from moorage.kit.errors import MoorageError
from moorage.kit.http import PROBLEM, STATUS, TITLES

from ..errors import QuestionMalformed, QuestionUnknown, TokenRefused
from ..service import Guard, Registry
from .asked import ANSWERERS, Answer, Question

ROOT = "/brokers/v1/"
# VerneMQ sends the payload of each PUBLISH too, in base64.
LARGEST_QUESTION = 12 * 1024 * 1024
_PREFIX = "mbk_"
_json = msgspec.json.Encoder().encode
_read_json = msgspec.json.Decoder().decode


def is_door(path: str) -> bool:
    """Tell whether a path is the door's."""
    return path.startswith(ROOT)


class BrokerDoor:
    """Answers brokers.

    Where a broker can send no header, its token stands in the path: `/brokers/v1/<token>/user`.

    `guard` and `registry` are set once the process has found the database, before the first
    request.
    """

    guard: Guard
    registry: Registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        try:
            answer = await self._answer(scope, receive)
        except MoorageError as failure:
            answer = _problem(failure)
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        token, name = _token_and_name(scope["path"][len(ROOT) :], headers)
        broker = await self.registry.find(token)
        answerer = ANSWERERS[broker.kind].get(name)
        if answerer is None:
            raise QuestionUnknown(kind=broker.kind.value, question=name[:40] or "nothing")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        body = await _body(receive, headers)
        fields = _fields(body, headers.get(b"content-type", b"")) if body else query
        hook = headers.get(b"vernemq-hook", b"").decode("latin-1")
        return await answerer(self.guard, broker, Question(fields, query, hook))


def _token_and_name(path: str, headers: dict[bytes, bytes]) -> tuple[str, str]:
    """Give the token shown, and what is asked for. Raises TokenRefused."""
    if path.startswith(_PREFIX):
        token, _, name = path.partition("/")
        return token, name
    kind, _, value = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"bearer":
        raise TokenRefused
    return value.strip().decode("latin-1"), path


def _fields(body: bytes, content_type: bytes) -> dict[str, Any]:
    """Read a body, JSON or a form. Raises QuestionMalformed."""
    try:
        if content_type.startswith(b"application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
        read = _read_json(body)
    except (ValueError, RecursionError) as wrong:
        raise QuestionMalformed(reason="the body is neither JSON nor a form") from wrong
    if not isinstance(read, dict):
        raise QuestionMalformed(reason="the body is not a JSON object")
    return read


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    declared = headers.get(b"content-length", b"0")
    parts: list[bytes] = []
    size = int(declared) if declared.isdigit() else 0
    more = size <= LARGEST_QUESTION
    taken = 0
    while more and taken <= LARGEST_QUESTION:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise QuestionMalformed(reason="the connection ended before it was whole")
        more = event.get("more_body", False)
        parts.append(event.get("body", b""))
        taken += len(parts[-1])
    if max(size, taken) > LARGEST_QUESTION:
        raise ingest.MessageTooLarge(size=max(size, taken), limit=LARGEST_QUESTION)
    return b"".join(parts)


def _problem(failure: MoorageError) -> Answer:
    status = STATUS[failure.kind]
    body = {
        "type": "about:blank", "title": TITLES.get(status, "Error"), "status": status,
        "code": failure.code, "detail": str(failure), "errors": [],
    }  # fmt: skip
    return Answer(status, _json(body), ((b"content-type", PROBLEM.encode()),))
