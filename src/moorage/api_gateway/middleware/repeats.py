"""Answers that are remembered for repeats, and bodies that are read twice."""

from __future__ import annotations

from starlette.types import Message, Receive, Send

from ..model import Answer

# Answers of these are never repeated: they set cookies or belong to one connection.
UNREPEATED_HEADERS = frozenset(
    {b"set-cookie", b"x-request-id", b"date", b"ratelimit", b"ratelimit-policy"}
)


class Caught:
    """Passes an answer on and remembers it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    @property
    def answer(self) -> Answer:
        headers = tuple(
            (name, value) for name, value in self._headers if name.lower() not in UNREPEATED_HEADERS
        )
        return Answer(self.status, headers, bytes(self._body))

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = [(bytes(n), bytes(v)) for n, v in message.get("headers", [])]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
        await self._send(message)


async def send_again(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def replayed(body: bytes, receive: Receive) -> Receive:
    """Give `body` once, then whatever else comes (a disconnect)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
