"""Pages of other sites: what their browsers are told (the Fetch standard, CORS protocol).

No answer ever allows credentials, so the console's cookie is of no use to other sites; their
programs show a token of their own.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, X-API-KEY, Content-Type, Accept, Idempotency-Key, If-Match, Prefer, "
    "Last-Event-ID, X-Request-Id"
)
SHOWN_HEADERS = (
    "RateLimit, RateLimit-Policy, Retry-After, ETag, Location, X-Request-Id, Idempotency-Replayed, "
    "Preference-Applied, Content-Disposition, WWW-Authenticate, Deprecation, Sunset"
)
# How long a browser need not ask again, in seconds; what was taken back holds for as long there,
# but the answer itself is not shown any more.
HOLDS_S = 600


def preflight() -> Response:
    """Answer the question that a browser asks before a request."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": str(HOLDS_S),
        },
    )


def show_to(headers: MutableHeaders, origin: str) -> None:
    """Let pages of a site read an answer."""
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Expose-Headers"] = SHOWN_HEADERS
