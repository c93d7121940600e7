"""What every request passes, in this order: trace, recognise, throttle, read, do once."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moorage import oauth, users
from moorage.kit import client_certificates, http
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
    OriginNotAllowed,
)
from ..model import Limits
from ..service import Admission, Refusals
from . import permitting
from .cors import preflight, show_to
from .dress import dress, show_limits
from .paths import METHODS, PROTOCOL, PUBLIC, UNSAFE, WELL_KNOWN, is_public
from .repeats import Caught, replayed, send_again
from .shown import cookie, key_in

log = structlog.get_logger("moorage.api")
REQUESTS = Histogram(
    "moorage_api_request_seconds", "Requests to the API, to their last byte.", ["method", "status"]
)

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
    # Whether a browser may have sent it by itself, at another site's wish.
    by_itself: bool = False
    admission: Admission | None = None
    status: int = 0
    is_feed: bool = False
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def received(self, data_bytes: int) -> None:
        """Count the bytes of the body that was sent."""
        self.bytes_in += data_bytes
        if self.admission is not None:
            self.admission.spend(data_bytes)

    def sent(self, data_bytes: int) -> None:
        """Count bytes of the body that is answered."""
        self.bytes_out += data_bytes
        if self.admission is not None:
            self.admission.spend(data_bytes)

    @property
    def area(self) -> str:
        """What of the API answered; a bounded number of words, whatever paths are asked for."""
        tags = getattr(self.scope.get("route"), "tags", None)
        return str(tags[0]) if tags else "other"

    @property
    def origin(self) -> str | None:
        return self.headers.get("origin")

    @property
    def asks_first(self) -> bool:
        """Whether a browser asks what another site's page may."""
        return self.origin is not None and "access-control-request-method" in self.headers

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else "unknown"


class Gateway:
    """ASGI application around the API and the console.

    `state` is the application's own; `database`, `sealer`, `signing_keys`, `public_url`,
    `doorbells`, `throttle`, `meter` and `origins` are there before the first request.
    """

    def __init__(self, app: ASGIApp, state: State, limits: Limits) -> None:
        self._app = app
        self._state = state
        self._limits = limits
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
            elif message["type"] == "http.response.body":
                passage.sent(len(message.get("body", b"")))
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
            if passage.caller is not None:
                self._state.meter.note(
                    passage.caller, passage.area, passage.status, passage.bytes_in,
                    passage.bytes_out,
                )  # fmt: skip
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
            if scope["method"] == "OPTIONS" and passage.asks_first:
                self._answer_first(passage)
                await preflight()(scope, receive, send)
                return
            await self._recognise(passage)
            await self._admit(passage)
            self._check_site(passage)
            await self._ask_for_permission(passage)
            body = b""
            if scope["method"] in UNSAFE:
                body = await self._read(passage, receive)
                passage.received(len(body))
                receive = replayed(body, receive)
            key = passage.headers.get("idempotency-key")
            if key is not None and scope["method"] == "POST" and passage.caller is not None:
                await self._once(passage, passage.caller, key, body, receive, send)
                return
        except MoorageError as refused:
            scope["state"]["refused"] = refused
            await http.refusal(refused)(scope, receive, send)
            return
        work = self._app(scope, receive, send)
        if self._state.decisions is None:
            await work
            return
        every_s = max(permitting.ASKED_EVERY_S, self._state.decisions.keep_s)
        still = partial(self._ask_for_permission, passage)
        await permitting.answer(work, every_s, lambda: passage.is_feed, still, send)

    async def _ask_for_permission(self, passage: _Passage) -> None:
        scope = passage.scope
        await permitting.ask(
            self._state.decisions, passage.caller, scope["method"], passage.path,
            scope["query_string"], passage.address,
        )  # fmt: skip

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
        if is_public(passage.path):
            return
        scheme, _, token = passage.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" and token.strip() else None
        api_key = passage.headers.get("x-api-key")
        basic = session = None
        if bearer is None and api_key is None:
            basic = key_in(token) if scheme.lower() == "basic" else None
        if bearer is None and api_key is None and basic is None:
            tls = is_tls(self._state.public_url, passage.scope["scheme"])
            session = cookie(passage.headers.get("cookie", ""), session_cookie(tls=tls))
            if session is None:
                return

        held = client_certificates.shown(passage.scope)
        certificate = oauth.shown_certificate(held, self._state.vouch) if bearer and held else None

        async def recognise(tx: Tx) -> Caller:
            return await oauth.identify(
                tx,
                self._state.signing_keys,
                bearer=bearer,
                api_key=api_key,
                basic=basic,
                session=session,
                origin=passage.address,
                certificate=certificate,
            )

        try:
            async with self._state.database.each() as tx:
                passage.caller = await recognise(tx)
        except users.CredentialsWrong:
            passage.admission = self._state.throttle.admit_address(passage.address)
            if passage.admission.refused is not None:
                raise passage.admission.refused from None
            if session is None:
                raise
            return
        passage.by_cookie = session is not None
        passage.by_itself = passage.by_cookie or basic is not None
        # What stays open longer than a request asks again, so that what was revoked ends it.
        passage.scope["state"].update(
            caller=passage.caller, by_cookie=passage.by_cookie, recognise=recognise
        )

    async def _admit(self, passage: _Passage) -> None:
        if passage.admission is None:
            throttle: service.Throttle = self._state.throttle
            if passage.caller is None:
                passage.admission = throttle.admit_address(passage.address)
            else:
                passage.admission = await throttle.admit(passage.caller)
        if passage.admission.refused is not None:
            raise passage.admission.refused

    def _check_site(self, passage: _Passage) -> None:
        """Refuse changes that another site's page makes with what our visitor's browser sends."""
        if passage.scope["method"] not in UNSAFE:
            return
        if not passage.by_itself and passage.path not in PUBLIC - PROTOCOL:
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

    def _answer_first(self, passage: _Passage) -> None:
        """Refuse pages that may ask for nobody; for whom is seen when they do."""
        if passage.origin is None or not self._state.origins.knows(passage.origin):
            raise OriginNotAllowed(origin=(passage.origin or "")[:200])

    def _may_read(self, passage: _Passage, origin: str) -> bool:
        """Tell whether a page of another site may read the answer."""
        if passage.by_itself:
            return False
        origins: service.Origins = self._state.origins
        if passage.caller is None:
            # Why nobody was recognised, and what the protocol of OAuth answers.
            return origins.knows(origin)
        return origins.allows(origin, passage.caller)

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
        over_tls = self._state.public_url.startswith("https:")
        dress(headers, api=passage.is_api, over_tls=over_tls)
        headers["X-Request-Id"] = passage.id
        if passage.is_api:
            headers.add_vary_header("Origin")
            if passage.origin is not None and self._may_read(passage, passage.origin):
                show_to(headers, passage.origin)
        elif passage.path in WELL_KNOWN:
            # The same for everybody, whoever asks.
            headers["Access-Control-Allow-Origin"] = "*"
        if passage.admission is not None:
            show_limits(headers, passage.admission.shown)
