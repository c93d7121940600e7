"""The console's built files, out of the package."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

import moorage

DIRECTORY = Path(moorage.__file__).parent / "console"
INDEX = "index.html"
# The build puts a digest into the names of the files below this.
HASHED = "assets/"
NOT_A_PAGE = ("/api", "/ingest", "/health", "/openapi.json", "/assets")


class Console:
    """Answers with a file, or with the one page whose script knows every other path."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._files = StaticFiles(directory=directory, check_dir=False)
        self._directory = directory

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
            try:
                found = await self._files.get_response(name, scope)
            except HTTPException as missing:
                if missing.status_code != 404:
                    raise
            else:
                return _cached(found, hashed=name.startswith(HASHED))
        if any(path == p or path.startswith(p + "/") for p in NOT_A_PAGE):
            raise HTTPException(404, f"There is nothing at {path}.")
        if not (self._directory / INDEX).is_file():
            raise HTTPException(404, "The console is not built here; run `make console`.")
        return _cached(await self._files.get_response(INDEX, scope), hashed=False)


def _cached(response: Response, *, hashed: bool) -> Response:
    keep = "public, max-age=31536000, immutable" if hashed else "no-cache"
    response.headers["Cache-Control"] = keep
    return response
