"""The platform's public API, as a program outside uses it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import httpx2

from .errors import PlatformRefused, PlatformUnreachable

_WAIT_S = 60.0
_TRIES = 8


class Platform:
    """A client that signs in with an API key, and waits when it is told to.

    Args:
        url: of console and API.
        api_key: `mk_…`.
    """

    def __init__(self, url: str, api_key: str, *, verify: bool | str = True) -> None:
        self.url = url.rstrip("/")
        self._client = httpx2.AsyncClient(
            base_url=self.url, headers={"X-API-KEY": api_key}, timeout=60, verify=verify
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self._client.aclose()

    async def wait_until_there(self, wait_s: float = _WAIT_S) -> dict[str, Any]:
        """Wait until the platform answers; tell who we are to it.

        Raises:
            PlatformUnreachable: it does not within `wait_s` seconds.
            PlatformRefused: it does not know the key.
        """
        until = time.monotonic() + wait_s
        while True:
            try:
                return await self.call("GET", "/auth/me")  # type: ignore[no-any-return]
            except PlatformUnreachable:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(0.25)

    async def call(
        self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None
    ) -> Any:
        """Make a call below `/api/v1`; give the answer's JSON, None if it has none.

        Raises:
            PlatformUnreachable: it does not answer.
            PlatformRefused: it answers with an error.
        """
        for _ in range(_TRIES):
            try:
                answer = await self._client.request(
                    method, f"/api/v1{path}", json=body, params=params
                )
            except httpx2.TransportError as failed:
                reason = str(failed) or type(failed).__name__
                raise PlatformUnreachable(url=self.url, reason=reason) from failed
            if answer.status_code not in (429, 503):
                break
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            detail = answer.json().get("detail", answer.reason_phrase)
        except ValueError:
            detail = answer.reason_phrase
        raise PlatformRefused(method=method, path=path, status=answer.status_code, detail=detail)

    async def everything(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Read a list to its end."""
        items: list[dict[str, Any]] = []
        asked: dict[str, Any] = {**params, "limit": 500}
        while True:
            page = await self.call("GET", path, params=asked)
            items += page["items"]
            if page["next"] is None:
                return items
            asked["after"] = page["next"]
