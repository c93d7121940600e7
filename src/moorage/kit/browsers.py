"""What browsers are given and come with: the console's session, and from where they ask."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request, Response

SESSION_COOKIE = "moorage_session"


def asker_of(request: Request) -> tuple[str | None, str | None]:
    """Give the network address and the user agent that a request comes from."""
    address = request.client.host if request.client else None
    return address, (request.headers.get("user-agent") or "")[:300] or None


def over_tls(request: Request) -> bool:
    """Tell whether browsers reach this installation over TLS, so that cookies may demand it."""
    public: str = request.app.state.public_url
    return public.startswith("https:") or request.url.scheme == "https"


def give_session(request: Request, response: Response, secret: str, holds: timedelta) -> None:
    """Give a console session to the browser."""
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(holds.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=over_tls(request),
    )


def take_session(request: Request, response: Response) -> None:
    """Have the browser forget its console session."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=over_tls(request))
