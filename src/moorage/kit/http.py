"""What every route shares: transaction and caller, problem details, pages, versions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar, get_args
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from moorage.kit import asking, db, pages
from moorage.kit.caller import Caller
from moorage.kit.errors import FieldInvalid, Kind, MoorageError, VersionStale
from moorage.kit.formats import DEEPEST
from moorage.kit.ucum import LONGEST, is_unit

STATUS = {
    Kind.MALFORMED: 400,
    Kind.UNSIGNED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.NOT_ACCEPTABLE: 406,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.TOO_LARGE: 413,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.UPSTREAM: 502,
    Kind.UNAVAILABLE: 503,
}


class Unsigned(MoorageError):
    """Nobody, or nobody we know, asks."""

    kind = Kind.UNSIGNED
    code = "unsigned"
    message = "Sign in, or send a token as `Authorization: Bearer` or an API key as `X-API-KEY`."


# --- Bodies ---------------------------------------------------------------

# Strict alone refuses the JSON text of these, since FastAPI validates parsed JSON.
Id = Annotated[UUID, Strict(False)]


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    AwareDatetime, Strict(False), PlainSerializer(_instant, return_type=str, when_used="json")
]


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not value.startswith("P"):
        raise ValueError("must be an ISO 8601 duration, such as P90D or PT15M")
    return value


# A year counts 365 days and a month 30, as there is no calendar to lay it on.
Duration = Annotated[
    timedelta,
    Strict(False),
    BeforeValidator(_duration),
    PlainSerializer(db.duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "duration", "examples": ["P90D", "PT15M"]}),
]


def _unit(code: str) -> str:
    if not is_unit(code):
        raise ValueError("must be a UCUM code, such as Cel, %, kW.h, m/s, [degF] or {beats}/min")
    return code


def _storable(value: Any) -> Any:
    """Refuse texts that UTF-8 or PostgreSQL cannot hold."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("must hold no NUL character and no half of a surrogate pair")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _storable(key)
            _storable(inner)
    elif isinstance(value, list):
        for inner in value:
            _storable(inner)
    return value


Storable = AfterValidator(_storable)

# Spaces around a name would make two of what nobody can tell apart.
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"\S"),
    Storable,
]
Unit = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_unit)]
SeriesName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Units = Annotated[
    dict[SeriesName, Unit],
    Field(max_length=200, description="UCUM codes by series, for numbers that come without."),
]
UnitsPatch = Annotated[
    dict[SeriesName, Unit | None],
    Field(max_length=200, description="UCUM codes by series; null removes one."),
]


class Body(BaseModel):
    """A request body: strict, camelCase, unknown fields refused, as are more than 64 levels."""

    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _shallow(cls, value: Any) -> Any:
        level = [value]
        for _ in range(DEEPEST):
            level = [inner for one in level for inner in _within(one)]
            if not level:
                return value
        # What is deeper could be read, and then not be written.
        raise ValueError(f"is nested deeper than {DEEPEST} levels")

    def given(self) -> dict[str, Any]:
        """Give only what the client sent: the members of a JSON Merge Patch (RFC 7396)."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Out(BaseModel):
    """A response body, read from a frozen value's attributes."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)


class Stamped(Out):
    """The four stamps of every entity."""

    created_at: Instant
    updated_at: Instant
    created_by: UUID
    updated_by: UUID


T = TypeVar("T")


# The names of an item's fields that the request under way asks for; all without. FastAPI offers
# what writes an answer no other way to know of the request.
_chosen: ContextVar[frozenset[str] | None] = ContextVar("chosen", default=None)


class PageOut(Out, Generic[T]):
    """One page of a list; `next` is the `after` of the following one."""

    items: list[T]
    next: str | None = None
    total: int | None = None

    @model_serializer(mode="wrap")
    def _slim(self, write: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        page = write(self)
        if (chosen := _chosen.get()) is not None:
            page["items"] = [
                {name: value for name, value in item.items() if name in chosen}
                for item in page["items"]
            ]
        return page


# --- Dependencies ---------------------------------------------------------


async def signed(request: Request) -> Caller:
    """Give the caller that the gateway recognised. Raises Unsigned."""
    caller = request.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise Unsigned
    return caller


async def transaction(request: Request) -> AsyncIterator[db.Tx]:
    """Open a transaction for this request; it commits before the answer leaves."""
    caller = request.scope.get("state", {}).get("caller")
    async with request.app.state.database.begin(*([caller] if caller else [])) as tx:
        yield tx


async def _choose(
    request: Request,
    fields: Annotated[
        str | None,
        Query(
            max_length=2_000,
            description="Only these fields of each item, and its `id`; comma separated.",
            examples=["name,createdAt"],
        ),
    ] = None,
) -> AsyncIterator[None]:
    """Keep what of each item is asked for while the answer is made. Raises FieldInvalid."""
    chosen = None
    if fields is not None:
        if await asking.form(request) != asking.JSON:
            raise FieldInvalid("/fields", "is for pages; a download has every field")
        known = _item_fields(request.scope["route"].response_model)
        chosen = frozenset(name.strip() for name in fields.split(","))
        if unknown := sorted(chosen - known):
            raise FieldInvalid(
                "/fields", f"has no {unknown[0]}; there are {', '.join(sorted(known))}"
            )
        chosen |= {"id"}
    _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.set(None)


def _item_fields(page: type[PageOut[Any]]) -> frozenset[str]:
    (item,) = get_args(page.model_fields["items"].annotation)
    return frozenset(field.alias or name for name, field in item.model_fields.items())


async def _page_request(
    _fields: Annotated[None, Depends(_choose)],
    limit: Annotated[int, Query(ge=1, le=500, description="At most this many items.")] = 50,
    after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
    sort: Annotated[
        str | None, Query(description="Field to order by; `-` in front for descending.")
    ] = None,
    total: Annotated[bool, Query(description="Count all items too.")] = False,
) -> pages.PageRequest:
    return pages.PageRequest(limit, after, sort, total)


def opened(request: Request) -> db.Opened:
    """Give what opens a transaction of its own and recognises the caller anew; for downloads."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[tuple[db.Tx, Caller]]:
        async with request.app.state.database.begin() as tx:
            yield tx, await request.scope["state"]["recognise"](tx)

    return begin


Signed = Annotated[Caller, Depends(signed)]
Tx = Annotated[db.Tx, Depends(transaction, scope="function")]
Asked = Annotated[pages.PageRequest, Depends(_page_request)]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag you last read; 412 if it changed since."),
]


Prefer = Annotated[
    str | None,
    Header(alias="Prefer", description="`respond-async`: 202 with a task (RFC 7240)."),
]


def is_async(prefer: str | None) -> bool:
    """Tell whether a client would rather have a task than wait (RFC 7240, 4.1)."""
    return "respond-async" in {part.strip().lower() for part in (prefer or "").split(",")}


def accepted(shown: type[Out], task: Any) -> Response:
    """Answer 202 with a task, which has an `id`, in place of what the route else gives."""
    return Response(
        shown.model_validate(task).model_dump_json(by_alias=True),
        202,
        {"Location": f"/api/v1/tasks/{task.id}", "Preference-Applied": "respond-async"},
        "application/json",
    )


def etag(updated_at: datetime) -> str:
    """Make the ETag of a thing last changed at `updated_at`."""
    return f'"{int(updated_at.timestamp() * 1_000_000):x}"'


def tag(response: Response, updated_at: datetime) -> None:
    """Put the ETag on an answer."""
    response.headers["ETag"] = etag(updated_at)


def check_match(if_match: str | None, updated_at: datetime) -> None:
    """Refuse a change of something changed since. Raises VersionStale."""
    if if_match not in (None, "*", etag(updated_at)):
        raise VersionStale(updated_at=_instant(updated_at))


# --- Problem details ------------------------------------------------------


class FieldProblem(Out):
    """One field that is wrong."""

    pointer: str
    detail: str


class Problem(Out):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] = []


PROBLEM = "application/problem+json"
TITLES = {
    400: "Bad request", 401: "Not signed in", 403: "Not allowed", 404: "Not found",
    405: "Method not allowed", 406: "Not acceptable", 409: "Conflict", 412: "Changed since",
    413: "Too large", 415: "Unsupported media type", 422: "Invalid", 429: "Too many requests",
    500: "Internal error", 502: "Upstream failed", 503: "Unavailable",
}  # fmt: skip


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    **public: Any,
) -> JSONResponse:
    """Make a problem answer."""
    body = {
        to_camel(k): v if isinstance(v, str | int | float | bool | list | dict | None) else str(v)
        for k, v in public.items()
    }
    body |= {
        "type": "about:blank", "title": TITLES.get(status, "Error"), "status": status,
        "code": code, "detail": detail, "errors": errors or [],
    }  # fmt: skip
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="moorage"'
    if status in (429, 503):
        headers["Retry-After"] = str(max(1, round(public.get("retry_after_s", 1))))
    return JSONResponse(body, status, headers, PROBLEM)


def refusal(failure: MoorageError) -> JSONResponse:
    """Make the problem answer of an expected failure."""
    public, errors = dict(failure.public), None
    if failure.pointer is not None:
        errors = [{"pointer": failure.pointer, "detail": str(failure)}]
    if isinstance(failure, FieldInvalid):
        errors = [{"pointer": public.pop("pointer"), "detail": public.pop("reason")}]
    return problem(STATUS[failure.kind], failure.code, str(failure), errors=errors, **public)


def may_fail(*errors: type[MoorageError]) -> dict[int | str, dict[str, Any]]:
    """Describe failures for OpenAPI: every status with its error codes."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        entry = by_status.setdefault(
            STATUS[error.kind],
            {"model": Problem, "description": "", "content": {PROBLEM: {}}},
        )
        line = f"`{error.code}`: {(error.__doc__ or '').strip().splitlines()[0]}"
        entry["description"] = (entry["description"] + "\n\n" + line).strip()
    return by_status


def pointer(location: tuple[Any, ...]) -> str:
    """Turn pydantic's location into a JSON Pointer into the body (RFC 6901)."""
    parts = (
        location[1:]
        if location and location[0] in ("body", "query", "path", "header")
        else location
    )
    return "/" + "/".join(str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def install_errors(app: FastAPI) -> None:
    """Answer every failure as a problem."""

    @app.exception_handler(MoorageError)
    async def expected(request: Request, failure: MoorageError) -> JSONResponse:
        if failure.kind is Kind.FORBIDDEN:
            # Whoever stands around the routes may want to tell of it.
            request.scope.setdefault("state", {})["refused"] = failure
        return refusal(failure)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, failure: RequestValidationError) -> JSONResponse:
        errors = [{"pointer": pointer(e["loc"]), "detail": e["msg"]} for e in failure.errors()]
        if any(e["type"] == "json_invalid" for e in failure.errors()):
            return problem(400, "body_malformed", "The body is not valid JSON.", errors=errors)
        where = ", ".join(e["pointer"] for e in errors)
        return problem(422, "invalid", f"Some fields are not right: {where}.", errors=errors)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, failure: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(failure.status_code, "http_error")
        answer = problem(failure.status_code, code, str(failure.detail))
        answer.headers.update(failure.headers or {})
        return answer

    async def unfit(_request: Request, _failure: Exception) -> JSONResponse:
        return problem(
            422, "value_unfit", "A value cannot be stored: a text holds the character NUL or half "
            "a surrogate pair, or a number is out of range.",
        )  # fmt: skip

    # A lone surrogate fails in the driver, as it has no UTF-8 form.
    app.add_exception_handler(DataError, unfit)
    app.add_exception_handler(UnicodeEncodeError, unfit)
