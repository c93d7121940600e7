"""The OpenAPI document: what FastAPI writes, completed with what the gateway does.

Run as a module it prints the document, without a database: the console's types are made of it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from moorage.api_gateway.middleware import PROTOCOL, PUBLIC, UNSAFE
from moorage.entry import areas
from moorage.entry.uplink_document import DEVICE_SCHEMES, PATHS
from moorage.entry.wiring import ROUTERS
from moorage.kit.browsers import SESSION_COOKIE
from moorage.kit.http import PROBLEM, Problem

SECURITY_SCHEMES = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of `POST /api/v1/auth/token`, or an OAuth client's of "
        "`POST /api/v1/oauth/token`; it holds 15 minutes.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-KEY",
        "description": "An API key; ignored where a valid access token comes with it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The console's session (`__Host-moorage_session` over TLS). Changes need "
        "the header X-CSRF-Token too.",
    },
}
COMMON = {
    "400": "`body_malformed`, `api.idempotency_key_invalid`: the request cannot be read.",
    "401": "`unsigned`, `users.credentials_wrong`: nobody we know asks.",
    "403": "`api.csrf_token_wrong`, `api.origin_foreign`: the session cookie alone is not enough; "
    "`decisions.denied`: the policies of the installation do not permit it.",
    "406": "`form_not_offered`: the answer has no form that `Accept` names.",
    "409": "`api.request_underway`, `api.answer_too_long`: the Idempotency-Key was seen before.",
    "413": "`api.body_too_large`: the body is too long.",
    "422": "`invalid`, `field_invalid`: some fields or parameters are not right; `errors` names "
    "them.",
    "429": "`api.too_many_requests`: the caller's bucket is empty; see Retry-After.",
    "503": "`database_unavailable`, `decisions.missing`: the database, or the policy decision "
    "point, does not answer just now.",
}
LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where it is read."}}
REQUEST_ID = {"X-Request-Id": {"schema": {"type": "string"}, "description": "Names the request."}}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "Repeats with the same key, query and body get the first answer again, for 24 "
    "hours.",
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` give the completed document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def completed(app: FastAPI) -> dict[str, Any]:
    """Write the document: security, every status, problems as `application/problem+json`."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        openapi_version="3.1.0",
        tags=areas.TAGS,
    )
    components = made.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES | DEVICE_SCHEMES
    made["paths"] |= PATHS
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method.upper(), operation, schemas)
    return made


def _complete(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    if not path.startswith("/api/"):
        return
    public = path in PUBLIC
    common = {"422", "429", "503"}
    if "204" not in responses:
        common.add("406")
    if operation.get("requestBody"):
        common.add("400")
    if not public:
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
        common.add("401")
    if method in UNSAFE:
        common |= {"403", "413"}
        if method == "POST" and not public:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            common |= {"400", "409"}
    for status in common:
        entry = responses.setdefault(status, {"description": ""})
        if entry["description"] == "Validation Error":
            entry["description"] = ""
        entry["description"] = (entry["description"] + "\n\n" + COMMON[status]).strip()
    for status, entry in responses.items():
        located = LOCATION if status in ("201", "202") and _has_id(entry, schemas) else {}
        entry["headers"] = {**entry.get("headers", {}), **located, **REQUEST_ID}
        if status >= "400":
            # The protocol of OAuth has errors of its own, beside those of every route.
            own = entry.get("content", {}) if path in PROTOCOL and status in ("400", "401") else {}
            entry["content"] = own | {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"] = dict(sorted(responses.items()))


def _has_id(answer: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Tell whether an answer is a thing of its own, so that it lies somewhere."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return "id" in schemas.get(name, {}).get("properties", {})


def main() -> None:
    """Print the document of every router there is."""
    app = FastAPI(title="Moorage")
    for router in ROUTERS:
        app.include_router(router)
    json.dump(completed(app), sys.stdout)


if __name__ == "__main__":
    main()
