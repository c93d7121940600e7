"""What browsers are given and come with: the console's session, and from where they ask."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request, Response

SESSION_COOKIE = "moorage_session"
# Over TLS, the name by which browsers take no cookie that another host of the domain, or a page
# without TLS, has set (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
_OF_HOST = "__Host-"
HOST_SESSION_COOKIE = f"{_OF_HOST}{SESSION_COOKIE}"


def asker_of(request: Request) -> tuple[str | None, str | None]:
    """Give the network address and the user agent that a request comes from."""
    address = request.client.host if request.client else None
    return address, (request.headers.get("user-agent") or "")[:300] or None


def over_tls(request: Request) -> bool:
    """Tell whether browsers reach this installation over TLS, so that cookies may demand it."""
    return is_tls(request.app.state.public_url, request.url.scheme)


def is_tls(public_url: str, scheme: str) -> bool:
    """Tell whether browsers use TLS, by the public address and what a trusted proxy says."""
    return public_url.startswith("https:") or scheme == "https"


def give_cookie(
    request: Request, response: Response, name: str, value: str, holds: timedelta
) -> None:
    """Give the browser a cookie that scripts do not see and, over TLS, no other host can set."""
    tls = over_tls(request)
    response.set_cookie(
        f"{_OF_HOST}{name}" if tls else name,
        value,
        max_age=int(holds.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=tls,
    )


def cookie_of(request: Request, name: str) -> str | None:
    """Read a cookie that `give_cookie` gave."""
    return request.cookies.get(f"{_OF_HOST}{name}" if over_tls(request) else name)


def take_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget a cookie that `give_cookie` gave."""
    tls = over_tls(request)
    response.delete_cookie(
        f"{_OF_HOST}{name}" if tls else name, httponly=True, samesite="lax", secure=tls
    )


def session_cookie(*, tls: bool) -> str:
    """Give the name of the cookie that holds a console session."""
    return HOST_SESSION_COOKIE if tls else SESSION_COOKIE


def give_session(request: Request, response: Response, secret: str, holds: timedelta) -> None:
    """Give a console session to the browser."""
    give_cookie(request, response, SESSION_COOKIE, secret, holds)


def take_session(request: Request, response: Response) -> None:
    """Have the browser forget its console session."""
    take_cookie(request, response, SESSION_COOKIE)
