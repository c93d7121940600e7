"""The console's built files, out of the package."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

import moorage

DIRECTORY = Path(moorage.__file__).parent / "console"
INDEX = "index.html"
# The build puts a digest into the names of the files below this.
HASHED = "assets/"
# The build lays a compressed copy beside what is worth it (console/vite.config.ts); smallest first.
IDENTITY = "identity"
COPIES = {"br": ".br", "gzip": ".gz", IDENTITY: ""}
NOT_A_PAGE = ("/api", "/ingest", "/health", "/openapi.json", "/assets")


class Console:
    """Answers with a file, or with the one page whose script knows every other path."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._files = StaticFiles(directory=directory, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises HTTPException 404 for what is neither."""
        if scope["type"] != "http":
            raise HTTPException(404)
        response = await self._find(scope)
        await response(scope, receive, send)

    async def _find(self, scope: Scope) -> Response:
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(404, f"There is nothing at {path}.")
        name = path.lstrip("/")
        if name and not path.startswith(("/api/", "/ingest/")):
            found = await self._file(name, scope)
            if found is not None:
                return _cached(found, hashed=name.startswith(HASHED))
        if any(path == p or path.startswith(p + "/") for p in NOT_A_PAGE):
            raise HTTPException(404, f"There is nothing at {path}.")
        page = await self._file(INDEX, scope)
        if page is None:
            raise HTTPException(404, "The console is not built here; run `make console`.")
        return _cached(page, hashed=False)

    async def _file(self, name: str, scope: Scope) -> Response | None:
        """Find a file, in the smallest copy the client understands.

        Each copy is a representation of its own, with its own entity tag, length and ranges
        (RFC 9110, 8.8.3 and 14).
        """
        accepted = accepted_encodings(Headers(scope=scope).get("accept-encoding", ""))
        for encoding, suffix in COPIES.items():
            if encoding not in accepted:
                continue
            try:
                found = await self._files.get_response(name + suffix, scope)
            except HTTPException as missing:
                if missing.status_code != 404:
                    raise
                continue
            found.headers["Vary"] = "Accept-Encoding"
            if encoding != IDENTITY and found.status_code != 304:
                found.headers["Content-Encoding"] = encoding
            return found
        return None


def accepted_encodings(field: str) -> frozenset[str]:
    """Give which of `COPIES` an Accept-Encoding field allows; always the file as it is.

    Source: RFC 9110, 12.5.3; a client that forbids even "identity" gets it rather than a 406.
    """
    weights: dict[str, bool] = {}
    for item in field.lower().split(","):
        coding, _, parameter = item.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        weights[coding.strip()] = not weight or weight.strip("0.") != ""
    other = weights.get("*", False)
    return frozenset(one for one in COPIES if one == IDENTITY or weights.get(one, other))


def _cached(response: Response, *, hashed: bool) -> Response:
    keep = "public, max-age=31536000, immutable" if hashed else "no-cache"
    response.headers["Cache-Control"] = keep
    return response
