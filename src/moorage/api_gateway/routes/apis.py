"""HTTP of the API store: what there is, as documents, and clients made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from moorage.kit.http import PageOut, Signed, may_fail

from .. import service
from ..errors import ApiUnknown
from ..model import Api, Language
from ..schemas import ApiInFullOut, ApiOut

apis = APIRouter(prefix="/api/v1/apis", tags=["apis"])
ApiId = Annotated[
    str, Path(max_length=100, description="A tag of the API's document.", examples=["devices"])
]
_TYPES = {Language.PYTHON: "text/x-python", Language.TYPESCRIPT: "text/plain"}
_ENDINGS = {Language.PYTHON: "py", Language.TYPESCRIPT: "ts"}


def _catalogue(request: Request) -> service.Catalogue:
    catalogue: service.Catalogue = request.app.state.catalogue
    return catalogue


@apis.get("", response_model=PageOut[ApiOut])
async def list_apis(
    _caller: Signed, request: Request,
    q: Annotated[
        str | None, Query(max_length=200, description="Words of an area or of one of its calls.")
    ] = None,
) -> PageOut[ApiOut]:  # fmt: skip
    """List the areas of the API, all of them on one page."""
    found = await _catalogue(request).list_apis(q)
    return PageOut[ApiOut](items=[_out(one) for one in found])


@apis.get("/{api_id}", response_model=ApiInFullOut, responses=may_fail(ApiUnknown))
async def get_api(api_id: ApiId, _caller: Signed, request: Request) -> Api:
    """Read an area of the API, with its calls."""
    return await _catalogue(request).get(api_id)


@apis.get("/{api_id}/openapi.json", responses=may_fail(ApiUnknown))
async def get_api_document(api_id: ApiId, _caller: Signed, request: Request) -> Mapping[str, Any]:
    """Read the OpenAPI 3.1 document of an area alone, for tools that make clients of it."""
    return await _catalogue(request).document_of(api_id)


@apis.get("/{api_id}/clients/{language}", response_class=Response,
          responses={**may_fail(ApiUnknown),
                     200: {"content": {form: {"schema": {"type": "string"}}
                                       for form in _TYPES.values()}}})  # fmt: skip
async def get_api_client(
    api_id: ApiId, language: Language, _caller: Signed, request: Request
) -> Response:
    """Take a client of an area: one file that needs no others."""
    text = await _catalogue(request).client_of(api_id, language)
    name = f"moorage_{api_id.replace('-', '_')}.{_ENDINGS[language]}"
    return Response(
        text,
        media_type=_TYPES[language],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _out(api: Api) -> ApiOut:
    return ApiOut(
        id=api.id,
        title=api.title,
        description=api.description,
        operation_count=len(api.operations),
    )
