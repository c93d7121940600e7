"""What a request may ask of its route: parameters that it knows, and a form that it offers.

Both are read from the route itself, as the OpenAPI document is, so that they say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from moorage.kit.errors import FieldInvalid, Kind, MoorageError

JSON = "application/json"


class FormNotOffered(MoorageError):
    """The answer does not come in any form that `Accept` names."""

    kind = Kind.NOT_ACCEPTABLE
    code = "form_not_offered"
    message = "The answer comes as {offered}. Name one of these in `Accept`, or leave it out."


async def known_query(request: Request) -> None:
    """Refuse parameters that the route does not know. Raises FieldInvalid."""
    if not request.query_params or "caller" not in request.scope["state"]:
        return  # Whoever is nobody is told that by the route.
    known = _known(request.scope["route"])
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {_listed(known)}."
            raise FieldInvalid(f"/{name}", f"is no parameter here; {hint}")


async def form(request: Request) -> str:
    """Give the media type that the answer shall have. Raises FormNotOffered."""
    offered = _offered(request.scope["route"])
    accept = ",".join(request.headers.getlist("accept"))
    if not offered or not accept:
        return offered[0] if offered else JSON
    if (found := preferred(accept, offered)) is None:
        raise FormNotOffered(offered=", ".join(offered))
    return found


# The media type, among those of the route, that the client asked for.
AsForm = Annotated[str, Depends(form)]
CHECKS = [Depends(known_query), Depends(form)]


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Give what of `offered` a client likes best (RFC 9110, 12.5.1), else None."""
    ranges: list[tuple[float, str]] = []
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((_number(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if quality > 0:
            ranges.append((quality, kind))
    for _quality, kind in sorted(ranges, key=lambda one: -one[0]):
        for media_type in offered:
            # `image/*` may stand on either side.
            if fnmatchcase(media_type, kind) or fnmatchcase(kind, media_type):
                return media_type
    return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


_names: dict[Callable[..., Any], frozenset[str]] = {}


def _known(route: APIRoute) -> frozenset[str]:
    """Name the route's query parameters."""
    if (known := _names.get(route.endpoint)) is None:
        known = _names[route.endpoint] = frozenset(_query_of(route.dependant))
    return known


def _query_of(dependant: Dependant) -> set[str]:
    names: set[str] = set()
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {field.alias or name for name, field in kind.model_fields.items()}
        else:
            names.add(parameter.alias)
    return names.union(*(_query_of(inner) for inner in dependant.dependencies))


def _offered(route: APIRoute) -> list[str]:
    """List the media types of the route's answer, the default first; none where it has no body."""
    if route.status_code == 204:
        return []
    told = route.responses.get(200, {}).get("content", {})
    # A route that names no class of its own answers as JSON where nothing else is asked for.
    own = [JSON] if isinstance(route.response_class, DefaultPlaceholder) else []
    return [*own, *told]
