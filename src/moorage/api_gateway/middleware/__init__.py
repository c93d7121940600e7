"""What every request passes, in this order: trace, recognise, throttle, read, do once."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moorage import oauth, users
from moorage.kit import http
from moorage.kit.browsers import is_tls, session_cookie
from moorage.kit.caller import Caller
from moorage.kit.db import DatabaseUnavailable, Tx
from moorage.kit.decisions import AccessDenied
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7
from moorage.kit.secrets import same
from moorage.organizations import PermissionMissing

from .. import service
from ..errors import (
    BodyTooLarge,
    BodyTooSlow,
    CsrfTokenWrong,
    IdempotencyKeyInvalid,
    OriginForeign,
    TooManyRequests,
)
from ..model import Admission, Limits
from ..service import Refusals, Throttle
from .headers import ALWAYS, API_POLICY, CONSOLE_POLICY
from .passing import Caught, replayed, send_again

log = structlog.get_logger("moorage.api")
REQUESTS = Histogram(
    "moorage_api_request_seconds", "Requests to the API, to their last byte.", ["method", "status"]
)

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS = UNSAFE | {"GET", "HEAD", "OPTIONS"}
# These let somebody in, so credentials that no longer hold must not stand in their way.
AUTH_PUBLIC = (
    "sign-in", "link", "token", "refresh", "ways", "reset", "reset-password",
    "passkeys/challenge", "passkeys/sign-in", "single-sign-on/offers", "single-sign-on/begin",
    "single-sign-on/callback", "single-sign-on/back-channel-logout",
)  # fmt: skip
# Programs prove themselves here as OAuth has it, without cookies and from wherever they run.
PROTOCOL = frozenset(
    f"/api/v1/oauth/{name}"
    for name in ("token", "revoke", "introspect", "device-authorization", "register")
)
WELL_KNOWN = frozenset(
    f"/.well-known/{name}"
    for name in ("moorage-audit-keys.json", "oauth-authorization-server", "jwks.json")
)
PUBLIC = (
    frozenset({"/api/v1/authority.pem", "/api/v1/claims"})
    | {f"/api/v1/auth/{name}" for name in AUTH_PUBLIC}
    | WELL_KNOWN
    | PROTOCOL
)
# Whoever signed in may sign out, whatever the policies of the installation say.
ALWAYS_PERMITTED = frozenset({"/api/v1/auth/sign-out", "/api/v1/auth/single-sign-on/sign-out"})
ASKED_EVERY_S = 1.0
CUT_OFF_S = 10.0
BODY_TIMEOUT_S = 60.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass
class _Passage:
    """One request on its way through."""

    scope: Scope
    headers: Headers
    id: str
    caller: Caller | None = None
    by_cookie: bool = False
    admission: Admission | None = None
    status: int = 0
    is_feed: bool = False

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else "unknown"


class Gateway:
    """ASGI application around the API and the console.

    `state` is the application's own; the lifespan puts `database`, `sealer`, `signing_keys`,
    `public_url` and `doorbells` there before the first request.
    """

    def __init__(self, app: ASGIApp, state: State, limits: Limits) -> None:
        self._app = app
        self._state = state
        self._limits = limits
        self._throttle = Throttle(limits)
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        passage = _Passage(scope, headers, asked if _REQUEST_ID.fullmatch(asked) else str(uuid7()))
        scope.setdefault("state", {}).update(request_id=passage.id)
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.status = message["status"]
                kind = MutableHeaders(scope=message).get("content-type", "")
                passage.is_feed = kind.startswith("text/event-stream")
                self._dress(passage, MutableHeaders(scope=message))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=passage.id):
            try:
                await self._pass(passage, receive, answer)
                if passage.status == 403 and passage.caller is not None:
                    await self._note_refusal(passage, passage.caller)
            except Exception:
                log.exception("request_failed", method=scope["method"], path=passage.path)
                if not passage.status:
                    failed = http.problem(
                        500, "internal", "Something broke here; the operator's log says what."
                    )
                    await failed(scope, receive, answer)
            took_s = time.perf_counter() - started
            if passage.is_api:
                status = f"{passage.status // 100}xx"
                method = scope["method"] if scope["method"] in METHODS else "other"
                REQUESTS.labels(method, status).observe(took_s)
            log.info(
                "request",
                method=scope["method"],
                path=passage.path,
                status=passage.status,
                ms=round(took_s * 1000, 1),
                caller=passage.caller.id.hex if passage.caller else None,
            )

    async def _pass(self, passage: _Passage, receive: Receive, send: Send) -> None:
        scope = passage.scope
        if not passage.is_api:
            await self._app(scope, receive, send)
            return
        try:
            await self._recognise(passage)
            self._admit(passage)
            self._check_site(passage)
            await self._ask_for_permission(passage)
            body = b""
            if scope["method"] in UNSAFE:
                body = await self._read(passage, receive)
                receive = replayed(body, receive)
            key = passage.headers.get("idempotency-key")
            if key is not None and scope["method"] == "POST" and passage.caller is not None:
                await self._once(passage, passage.caller, key, body, receive, send)
                return
        except MoorageError as refused:
            await http.refusal(refused)(scope, receive, send)
            scope["state"]["refused"] = refused
            return
        if self._state.decisions is None:
            await self._app(scope, receive, send)
        else:
            await self._while_permitted(passage, receive, send)

    async def _note_refusal(self, passage: _Passage, caller: Caller) -> None:
        """Keep a refusal for want of a permission as a fact, and not more of them than needed."""
        refused = passage.scope["state"].get("refused")
        if not isinstance(refused, PermissionMissing | AccessDenied):
            return
        if not self._refusals.is_new(caller, refused):
            return
        try:
            async with self._state.database.begin(caller) as tx:
                service.note_refusal(tx, caller, refused, passage.scope["method"], passage.path)
        except DatabaseUnavailable:
            log.warning("refusal_not_kept", caller=caller.id.hex)

    # --- Recognise ----------------------------------------------------------

    async def _recognise(self, passage: _Passage) -> None:
        if self._state.doorbells.cut_off_s > CUT_OFF_S:
            # What was revoked meanwhile cannot be known here.
            raise DatabaseUnavailable
        if passage.path in PUBLIC:
            return
        scheme, _, token = passage.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" and token.strip() else None
        api_key = passage.headers.get("x-api-key")
        session = None
        if bearer is None and api_key is None:
            tls = is_tls(self._state.public_url, passage.scope["scheme"])
            session = _cookie(passage.headers.get("cookie", ""), session_cookie(tls=tls))
            if session is None:
                return

        async def recognise(tx: Tx) -> Caller:
            return await oauth.identify(
                tx,
                self._state.signing_keys,
                bearer=bearer,
                api_key=api_key,
                session=session,
                origin=passage.address,
            )

        try:
            async with self._state.database.each() as tx:
                passage.caller = await recognise(tx)
        except users.CredentialsWrong:
            admission = self._throttle.admit(None, passage.address)
            passage.admission = admission
            if not admission.admitted:
                raise _too_many(admission) from None
            if session is None:
                raise
            return
        passage.by_cookie = session is not None
        # What stays open longer than a request asks again, so that what was revoked ends it.
        passage.scope["state"].update(
            caller=passage.caller, by_cookie=passage.by_cookie, recognise=recognise
        )

    def _admit(self, passage: _Passage) -> None:
        if passage.admission is None:
            passage.admission = self._throttle.admit(passage.caller, passage.address)
        if not passage.admission.admitted:
            raise _too_many(passage.admission)

    def _check_site(self, passage: _Passage) -> None:
        """Refuse changes that another site's page makes with our visitor's cookie."""
        if passage.scope["method"] not in UNSAFE:
            return
        if not passage.by_cookie and passage.path not in PUBLIC - PROTOCOL:
            return
        origin = passage.headers.get("origin")
        own = (self._state.public_url, passage.headers.get("host", ""))
        if origin is not None and origin != own[0] and urlsplit(origin).netloc != own[1]:
            raise OriginForeign(origin=origin[:200])
        if passage.headers.get("sec-fetch-site") == "cross-site":
            raise OriginForeign(origin=(origin or "that site")[:200])
        if passage.by_cookie and passage.caller and passage.caller.session_id:
            token = users.csrf_token(self._state.sealer, passage.caller.session_id)
            given = passage.headers.get("x-csrf-token", "")
            if not same(token.encode(), given.encode()):
                raise CsrfTokenWrong

    # --- What the policy decision point permits -----------------------------

    async def _ask_for_permission(self, passage: _Passage) -> None:
        """Ask it about a request of somebody, but not about signing out.

        Raises:
            AccessDenied, DecisionMissing.
        """
        point = self._state.decisions
        if point is None or passage.caller is None or passage.path in ALWAYS_PERMITTED:
            return
        query = passage.scope["query_string"].decode("latin-1")
        await point.require(
            service.question(
                passage.caller, passage.scope["method"], passage.path, query, passage.address
            )
        )

    async def _while_permitted(self, passage: _Passage, receive: Receive, send: Send) -> None:
        """Answer, and end a feed when what it shows is no longer permitted."""
        every_s = max(ASKED_EVERY_S, self._state.decisions.keep_s)
        work = asyncio.ensure_future(self._app(passage.scope, receive, send))
        try:
            while not (await asyncio.wait({work}, timeout=every_s))[0]:
                if not passage.is_feed:
                    continue
                try:
                    await self._ask_for_permission(passage)
                except MoorageError:
                    if work.cancel():
                        await asyncio.gather(work, return_exceptions=True)
                        last = b"event: ended\ndata: {}\n\n"
                        await send({"type": "http.response.body", "body": last})
                    return
            await work
        finally:
            if work.cancel():
                await asyncio.gather(work, return_exceptions=True)

    # --- Read, and do once --------------------------------------------------

    async def _read(self, passage: _Passage, receive: Receive) -> bytes:
        most = self._limits.body_bytes if passage.caller else self._limits.unsigned_body_bytes
        length = passage.headers.get("content-length", "0")
        if length.isdigit() and int(length) > most:
            raise BodyTooLarge(most_bytes=most)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > most:
                        raise BodyTooLarge(most_bytes=most)
        except TimeoutError:
            raise BodyTooSlow(timeout_s=BODY_TIMEOUT_S) from None
        return bytes(body)

    async def _once(
        self,
        passage: _Passage,
        caller: Caller,
        key: str,
        body: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        if not _KEY.fullmatch(key):
            raise IdempotencyKeyInvalid
        database, sealer = self._state.database, self._state.sealer
        digest = service.request_digest(caller, passage.path, key)
        content_type = passage.headers.get("content-type", "")
        content = service.content_digest(passage.scope["query_string"], content_type, body)
        async with database.begin(caller) as tx:
            kept = await service.begin_once(tx, sealer, digest, content)
        if kept is not None:
            await send_again(kept, send)
            return
        caught = Caught(send)
        done = False
        try:
            await self._app(passage.scope, receive, caught)
            done = True
        finally:
            async with database.begin(caller) as tx:
                if done and caught.status:
                    await service.finish_once(tx, sealer, digest, caught.answer)
                else:
                    await service.forget_once(tx, digest)

    # --- Answer -------------------------------------------------------------

    def _dress(self, passage: _Passage, headers: MutableHeaders) -> None:
        for name, value in ALWAYS.items():
            headers.setdefault(name, value)
        policy = API_POLICY if passage.is_api else CONSOLE_POLICY
        headers.setdefault("Content-Security-Policy", policy)
        if passage.is_api:
            headers.setdefault("Cache-Control", "no-store")
        if self._state.public_url.startswith("https:"):
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        headers["X-Request-Id"] = passage.id
        if (admission := passage.admission) is not None:
            rate = admission.rate
            window = max(1, round(rate.burst / rate.per_second))
            headers["RateLimit-Policy"] = f'"{admission.bucket}";q={rate.burst};w={window}'
            refill = max(0, round((rate.burst - admission.left) / rate.per_second))
            headers["RateLimit"] = f'"{admission.bucket}";r={admission.left};t={refill}'


def _cookie(header: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _too_many(admission: Admission) -> TooManyRequests:
    return TooManyRequests(
        bucket=admission.bucket, retry_after_s=max(1, round(admission.retry_after_s))
    )
