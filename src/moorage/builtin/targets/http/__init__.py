"""The HTTP kind: one request a message, signed and under its idempotency key."""

from __future__ import annotations

import email.utils
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moorage.plugin import (
    Delivery,
    FieldInvalid,
    Into,
    MoorageError,
    Outbound,
    Outcome,
    Result,
    Template,
    ValueMissing,
    client_context,
)

from ..body import parsed, plain_body, scope_of
from . import credentials
from .client import Answer, Client, ConnectionLost, Origin, request_bytes, split
from .settings import SCHEMA, SECRETS, Settings, check_header, check_header_value, read

EXCERPT = 2_000
LONGEST_RETRY_AFTER_S = 3_600.0
# These say that the message may be sent again; other 4xx refuse it (RFC 9110; 425: RFC 8470).
_BUSY = frozenset({408, 425, 429, 502, 503, 504})


class HttpKind:
    """Makes HTTP senders."""

    api_version = 1
    title = "HTTP"
    schema = SCHEMA
    secrets = SECRETS

    def check(self, settings: Mapping[str, Any], secrets: frozenset[str]) -> None:
        """Check settings. Raises FieldInvalid."""
        given = read(settings)
        _url(given.url, "/settings/url")
        parsed(given.url, Into.URL, "/settings/url")
        _body(given)
        for name, value in given.headers.items():
            check_header(name, value)
        check_header_value(given.content_type, "/settings/contentType")
        needs = {"header": "authorization", "basic": "password", "oauth2": "clientSecret"}
        secret = needs.get(given.authentication)
        if secret is not None and secret not in secrets:
            raise FieldInvalid(f"/secrets/{secret}", "is needed for this authentication")
        if given.authentication == "basic" and not given.user:
            raise FieldInvalid("/settings/user", "is needed for basic authentication")
        if given.authentication == "oauth2":
            if given.oauth2 is None:
                raise FieldInvalid("/settings/oauth2", "is needed for this authentication")
            _url(given.oauth2.token_url, "/settings/oauth2/tokenUrl")
        if given.tls.client_certificate and "clientKey" not in secrets:
            raise FieldInvalid("/secrets/clientKey", "is needed with a client certificate")
        client_context(given.tls.authority, None, None)

    async def open(
        self,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        network: Outbound,
        identity: str,
    ) -> HttpSender:
        """Make a sender. Raises FieldInvalid: a secret cannot be used."""
        return HttpSender(read(settings), settings, secrets, network, identity)


KIND = HttpKind()


class HttpSender:
    """Sends each message as one request, over connections that are kept."""

    batch = 1

    def __init__(
        self,
        given: Settings,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        network: Outbound,
        identity: str,
    ) -> None:
        self._given = given
        self._url = parsed(given.url, Into.URL, "/settings/url")
        self._fixed = split(given.url) if not self._url.roots else None
        self._body = _body(given)
        self._roots = self._url.roots | (self._body.roots if self._body else frozenset())
        context = client_context(
            given.tls.authority, given.tls.client_certificate, secrets.get("clientKey")
        )
        self._client = Client(network, context)
        self._masked = sorted((s for s in secrets.values() if s), key=len, reverse=True)
        self._headers = {"User-Agent": f"moorage ({identity[:40]})", **given.headers}
        self._tokens: credentials.Tokens | None = None
        if given.authentication == "header":
            check_header_value(secrets["authorization"], "/secrets/authorization")
            self._headers["Authorization"] = secrets["authorization"]
        elif given.authentication == "basic":
            written = credentials.basic(given.user, secrets["password"])
            self._masked.append(written.removeprefix("Basic "))
            self._headers["Authorization"] = written
        elif given.authentication == "oauth2":
            self._tokens = credentials.Tokens(
                self._client, settings["oauth2"], secrets["clientSecret"], given.timeout_s
            )
        self._signing = None
        if "signingSecret" in secrets:
            self._signing = credentials.signing_key(secrets["signingSecret"])

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Result]:
        """Send one after the other; normally there is one."""
        results: list[Result] = []
        for delivery in batch:
            if results and results[-1].outcome in (Outcome.OUTAGE, Outcome.FAILED):
                results.append(Result(Outcome.OUTAGE, detail="An earlier message failed."))
            else:
                results.append(await self._send(delivery))
        return results

    async def _send(self, delivery: Delivery) -> Result:
        began = time.perf_counter()
        try:
            origin, target, headers, body = self._request(delivery)
        except (ValueMissing, ValueError) as wrong:
            return Result(Outcome.REFUSED, detail=str(wrong))
        return await self._exchange(self._given.method, origin, target, headers, body, began)

    async def _exchange(
        self,
        method: str,
        origin: Origin,
        target: str,
        headers: dict[str, str],
        body: bytes,
        began: float,
    ) -> Result:
        try:
            token = await self._tokens.get() if self._tokens else ""
            answer = await self._ask(method, origin, target, headers, body, token)
            if answer.status == 401 and self._tokens is not None:
                token = await self._tokens.get(instead_of=token)
                answer = await self._ask(method, origin, target, headers, body, token)
        except credentials.TokenRefused as refused:
            outcome = Outcome.OUTAGE if refused.temporary else Outcome.FAILED
            return Result(outcome, detail=str(refused), latency_ms=_ms(began))
        except TimeoutError:
            detail = f"No answer within {self._given.timeout_s:g} s."
            return Result(Outcome.OUTAGE, detail=detail, latency_ms=_ms(began))
        except ssl.SSLError as failed:
            detail = f"TLS failed: {failed.reason or failed}."
            if isinstance(failed, ssl.SSLCertVerificationError):
                detail = f"The certificate of {origin.host} is not trusted: {failed.verify_message}"
            return Result(Outcome.OUTAGE, detail=detail, latency_ms=_ms(began))
        except ConnectionLost as lost:
            return Result(Outcome.OUTAGE, detail=str(lost), latency_ms=_ms(began))
        except OSError as failed:
            detail = f"No connection to {origin.authority}: {failed.strerror or failed}."
            return Result(Outcome.OUTAGE, detail=detail, latency_ms=_ms(began))
        except MoorageError as refused:
            return Result(Outcome.OUTAGE, detail=str(refused), latency_ms=_ms(began))
        return self._judged(answer, _ms(began))

    async def _ask(
        self,
        method: str,
        origin: Origin,
        target: str,
        headers: dict[str, str],
        body: bytes,
        token: str,
    ) -> Answer:
        if token:
            headers = headers | {"Authorization": f"Bearer {token}"}
        data = request_bytes(method, origin, target, headers, body)
        return await self._client.request(origin, data, self._given.timeout_s)

    def _request(self, delivery: Delivery) -> tuple[Origin, str, dict[str, str], bytes]:
        scope = scope_of(delivery, self._roots) if self._roots else {}
        origin, target = self._fixed or split(self._url.render(scope))
        if self._body is None:
            body, content_type = plain_body(delivery.content)
        else:
            body, content_type = self._body.render(scope).encode(), "application/json"
        headers = dict(self._headers)
        headers["Content-Type"] = self._given.content_type or _media_type(content_type)
        headers["Idempotency-Key"] = delivery.key
        if delivery.traceparent is not None:
            headers["traceparent"] = delivery.traceparent
        if self._signing is not None:
            headers |= credentials.signature(self._signing, delivery.key, body, int(time.time()))
        return origin, target, headers, body

    def _judged(self, answer: Answer, latency_ms: float) -> Result:
        excerpt = self._mask(answer.body[: EXCERPT * 4].decode("utf-8", "replace"))[:EXCERPT]
        excerpt = excerpt.replace("\0", "")
        status = answer.status
        detail, retry_after_s = "", None
        if 200 <= status < 300:
            outcome = Outcome.ACCEPTED
        elif status in _BUSY:
            outcome, detail = Outcome.OUTAGE, f"The server answered {status} and asks to wait."
            retry_after_s = _retry_after(answer.headers.get("retry-after", ""))
        elif status >= 500:
            outcome, detail = Outcome.FAILED, f"The server answered {status}."
            retry_after_s = _retry_after(answer.headers.get("retry-after", ""))
        elif status in (401, 403, 407):
            # Wrong credentials are wrong for every message: nothing is given up for them at once.
            outcome, detail = Outcome.FAILED, f"The server answered {status}: check credentials."
        elif 300 <= status < 400:
            where = self._mask(answer.headers.get("location", "nowhere"))[:200]
            outcome = Outcome.REFUSED
            detail = f"The server redirects to {where}; redirects are not followed. Set that URL."
        else:
            outcome, detail = Outcome.REFUSED, f"The server refused the message with {status}."
        return Result(outcome, status, detail, excerpt, latency_ms, retry_after_s)

    def show(self, delivery: Delivery) -> str:
        """Give the request as text, secrets masked. What is missing in it is named instead."""
        try:
            origin, target, headers, body = self._request(delivery)
        except (ValueMissing, ValueError) as wrong:
            return str(wrong)
        if self._tokens is not None:
            headers["Authorization"] = "Bearer ***"
        for name in ("Authorization", "webhook-signature"):
            if name in headers:
                headers[name] = headers[name].partition(" ")[0].partition(",")[0] + " ***"
        data = request_bytes(self._given.method, origin, target, headers, b"")
        head = data.decode("latin-1").replace("Content-Length: 0", f"Content-Length: {len(body)}")
        return self._mask(head.replace("\r\n", "\n") + body.decode("utf-8", "replace"))

    async def ping(self) -> Result:
        """Ask the server for its options: reaches it, through TLS and sign-in, sending nothing.

        Any answer but a refused sign-in counts; many servers do not know OPTIONS.
        """
        began = time.perf_counter()
        try:
            origin, target = self._fixed or split(_sample(self._given.url))
        except ValueError as wrong:
            return Result(Outcome.REFUSED, detail=str(wrong))
        result = await self._exchange("OPTIONS", origin, target, dict(self._headers), b"", began)
        if result.status is None or result.status in (401, 403, 407):
            return result
        detail = f"The server is there; it answered OPTIONS with {result.status}."
        return Result(Outcome.ACCEPTED, result.status, detail, result.answer, result.latency_ms)

    async def close(self) -> None:
        """End connections."""
        await self._client.close()

    def _mask(self, text: str) -> str:
        for secret in self._masked:
            text = text.replace(secret, "***")
        return text


def _media_type(said: str) -> str:
    """Give what a device said its payload is, if a header can carry it (RFC 9110, section 5.5)."""
    return said if said.isascii() and said.isprintable() else "application/octet-stream"


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def _retry_after(value: str) -> float | None:
    """Read a Retry-After header: seconds or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return min(LONGEST_RETRY_AFTER_S, float(value))
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(LONGEST_RETRY_AFTER_S, max(0.0, (at - datetime.now(UTC)).total_seconds()))


def _body(given: Settings) -> Template | None:
    if not given.body:
        return None
    kind = given.content_type.lower()
    into = Into.JSON if not kind or "json" in kind else Into.TEXT
    if "urlencoded" in kind:
        into = Into.URL
    return parsed(given.body, into, "/settings/body")


def _sample(url: str) -> str:
    """Fill every place of a URL, to check it or reach the server without a message."""
    return re.sub(r"\{\{.*?\}\}", "x", url)


def _url(url: str, pointer: str) -> None:
    try:
        split(_sample(url))
    except ValueError as wrong:
        raise FieldInvalid(pointer, str(wrong)) from wrong
    if "{{" in url.partition("//")[2].partition("/")[0]:
        raise FieldInvalid(pointer, "must name its host without places")
