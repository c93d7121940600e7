"""The rules of the gateway: how often, and once only."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.decisions import OURS, RESOURCE_ID, AccessDenied, Question, subject_of
from moorage.kit.secrets import Sealer
from moorage.kit.secrets import digest as digest_of
from moorage.organizations import PermissionMissing

from . import store
from .errors import AnswerTooLong, IdempotencyKeyReused, RequestUnderway
from .facts import AccessRefused
from .model import LONGEST_KEPT_ANSWER, Admission, Answer, Limits, Rate

MOST_BUCKETS = 20_000
REFUSAL_EVERY_S = 60.0
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


class Throttle:
    """Token buckets of the callers of this process; the least used are forgotten first."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def admit(self, caller: Caller | None, address: str) -> Admission:
        """Take a token for a request of `caller`, or of an address nobody signed in from."""
        if caller is None:
            return self._take("address", address, self.limits.unsigned)
        return self._take("caller", caller.bucket, self.limits.signed)

    def _take(self, bucket: str, name: str, rate: Rate) -> Admission:
        now = self._clock()
        tokens, since = self._buckets.pop((bucket, name), (float(rate.burst), now))
        tokens = min(rate.burst, tokens + (now - since) * rate.per_second)
        admitted = tokens >= 1
        if admitted:
            tokens -= 1
        self._buckets[bucket, name] = (tokens, now)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        wait = max(0.0, (1 - tokens) / rate.per_second)
        return Admission(admitted, bucket, rate, int(tokens), wait)


class Refusals:
    """Tells which refusals of this process are new: one a caller, permission and minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_new(self, caller: Caller, refused: PermissionMissing | AccessDenied) -> bool:
        """Tell whether this was not told in the last minute; from now on it was."""
        now = self._clock()
        what = caller.bucket, str(refused.public.get("permission"))
        if now - self._told.get(what, -math.inf) < REFUSAL_EVERY_S:
            return False
        self._told[what] = now
        self._told.move_to_end(what)
        if len(self._told) > MOST_BUCKETS:
            self._told.popitem(last=False)
        return True


def note_refusal(
    tx: Tx, caller: Caller, refused: PermissionMissing | AccessDenied, method: str, path: str
) -> None:
    """Announce that the caller lacked a permission, in the audit of an organisation of theirs.

    What the policy decision point denied is of the installation's, which wrote the policies.
    """
    asked = {"method": method, "path": path[:500]}
    if isinstance(refused, AccessDenied):
        tx.announce(AccessRefused(caller.id, None, after={"permission": None, **asked}))
        return
    organization_id = refused.organization_id
    if organization_id is not None and not caller.belongs_to(organization_id):
        organization_id = None
    told = {"permission": refused.public["permission"], **asked}
    tx.announce(AccessRefused(caller.id, organization_id, after=told))


def question(caller: Caller, method: str, path: str, query: str, address: str) -> Question:
    """Ask whether a request is permitted.

    The resource is the path, and every id in it by the name of what it is of: `device-id` for
    `/api/v1/devices/…`. Filters of the query have the same names (`deviceId`). An id is written
    in one way, however it came: routes take it in several.
    """
    parts = [_plain(part) for part in path.split("/")]
    told = [(RESOURCE_ID, "/".join(text for text, _ in parts))]
    for (of, _), (text, is_id) in pairwise(parts):
        if is_id:
            told.append((f"{OURS}resource:{of.removesuffix('s')}-id", text))
    for name, value in parse_qsl(query):
        text, is_id = _plain(value)
        if is_id:
            told.append((f"{OURS}resource:{_HUMP.sub('-', name).lower()}", text))
    environment = ((f"{OURS}environment:address", address),)
    return Question(subject_of(caller), method, tuple(told), environment)


def request_digest(caller: Caller, path: str, key: str) -> bytes:
    """Name a request: the same caller, path and idempotency key are the same request."""
    return digest_of(f"{caller.bucket}\n{path}\n{key}")


def content_digest(query: bytes, content_type: str, body: bytes) -> bytes:
    """Name what a request says: its query, its content type and its body."""
    return digest_of(b"\n".join((query, content_type.encode(), body)))


def _plain(text: str) -> tuple[str, bool]:
    """Write an id as we do, and tell whether it is one."""
    try:
        return str(UUID(text)), True
    except ValueError:
        return text, False


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


async def clear_away(tx: Tx) -> None:
    """Delete answers that are no longer kept."""
    await store.drop_old(tx)


def _context(digest: bytes) -> str:
    return f"api_answers:{digest.hex()}"
