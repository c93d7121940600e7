"""Requests that are done once: the answers of those that come again."""

from __future__ import annotations

import msgspec

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.secrets import Sealer
from moorage.kit.secrets import digest as digest_of

from ..errors import AnswerTooLong, IdempotencyKeyReused, RequestUnderway
from ..model import LONGEST_KEPT_ANSWER, Answer
from ..store import answers as store


def request_digest(caller: Caller, path: str, key: str) -> bytes:
    """Name a request: the same caller, path and idempotency key are the same request."""
    return digest_of(f"{caller.bucket}\n{path}\n{key}")


def content_digest(query: bytes, content_type: str, body: bytes) -> bytes:
    """Name what a request says: its query, its content type and its body."""
    return digest_of(b"\n".join((query, content_type.encode(), body)))


async def begin_once(tx: Tx, sealer: Sealer, digest: bytes, content: bytes) -> Answer | None:
    """Begin a request that is to be done once; gives the answer if it was done before.

    `content` is the `content_digest` of the request.

    Raises:
        IdempotencyKeyReused: the key came with another query, content type or body.
        RequestUnderway: the request is being worked on.
        AnswerTooLong: the answer was not kept.
    """
    kept = await store.claim(tx, digest, content)
    if kept is None:
        return None
    if kept.content_digest != content:
        raise IdempotencyKeyReused
    if kept.finished_at is None:
        raise RequestUnderway
    if kept.sealed is None:
        raise AnswerTooLong
    return msgspec.msgpack.decode(sealer.open(kept.sealed, _context(digest)), type=Answer)


async def finish_once(tx: Tx, sealer: Sealer, digest: bytes, answer: Answer) -> None:
    """Keep the answer of a request that was done; one that failed may be asked again."""
    if answer.status >= 400:
        await store.forget(tx, digest)
    elif len(answer.body) > LONGEST_KEPT_ANSWER:
        await store.keep(tx, digest, None)
    else:
        sealed = sealer.seal(msgspec.msgpack.encode(answer), _context(digest))
        await store.keep(tx, digest, sealed)


async def forget_once(tx: Tx, digest: bytes) -> None:
    """Let a request that ended without an answer be asked again."""
    await store.forget(tx, digest)


def _context(digest: bytes) -> str:
    return f"api_answers:{digest.hex()}"
