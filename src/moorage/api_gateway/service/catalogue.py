"""The API store's shelves: the areas of the API, cut out of its OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ApiUnknown
from ..model import Api, ApiOperation, Language
from . import clients

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Catalogue:
    """The areas of the API, for one process.

    Args:
        document: writes the OpenAPI document of everything; asked once, when first needed, since
            that takes a second.
        url: where this installation is reached.
    """

    def __init__(self, document: Callable[[], Mapping[str, Any]], url: str) -> None:
        self._write = document
        self._url = url
        self._reading = asyncio.Lock()
        self._document: Mapping[str, Any] | None = None
        self._apis: Mapping[str, Api] = {}
        # Made when first asked for, and kept: there are a few dozen, and making one takes CPU.
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._clients: dict[tuple[str, Language], str] = {}

    async def _read(self) -> Mapping[str, Any]:
        async with self._reading:
            if self._document is None:
                document = await asyncio.to_thread(self._write)
                self._apis = {one.id: one for one in _apis_of(document)}
                self._document = document
        return self._document

    async def list_apis(self, q: str | None = None) -> Sequence[Api]:
        """Give the areas in which every word of `q` stands, of themselves or of a call."""
        await self._read()
        words = (q or "").lower().split()
        return [one for one in self._apis.values() if all(word in _text(one) for word in words)]

    async def get(self, api_id: str) -> Api:
        """Give one area. Raises ApiUnknown."""
        await self._read()
        if (found := self._apis.get(api_id)) is None:
            raise ApiUnknown(id=api_id)
        return found

    async def document_of(self, api_id: str) -> Mapping[str, Any]:
        """Give the OpenAPI document of one area. Raises ApiUnknown."""
        whole, api = await self._read(), await self.get(api_id)
        if api_id not in self._documents:
            self._documents[api_id] = _cut(whole, api, self._url)
        return self._documents[api_id]

    async def client_of(self, api_id: str, language: Language) -> str:
        """Give a client of one area, as one file. Raises ApiUnknown."""
        document = await self.document_of(api_id)
        made = self._clients.get((api_id, language))
        if made is None:
            made = await asyncio.to_thread(clients.write, document, language)
            self._clients[api_id, language] = made
        return made


def _text(api: Api) -> str:
    calls = (f"{one.method} {one.path} {one.summary}" for one in api.operations)
    return "\n".join((api.id, api.title, api.description, *calls)).lower()


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _apis_of(document: Mapping[str, Any]) -> Iterator[Api]:
    for tag in document["tags"]:
        operations = tuple(
            ApiOperation(
                told["operationId"],
                method.upper(),
                path,
                told["summary"],
                told.get("description", ""),
                bool(told.get("deprecated")),
            )
            for path, method, told in _operations(document)
            if tag["name"] in told.get("tags", ())
        )
        if operations:
            yield Api(tag["name"], tag["x-displayName"], tag["description"], operations)


def _cut(document: Mapping[str, Any], api: Api, url: str) -> dict[str, Any]:
    """Cut an area out of a document, with the schemas that it needs and no others."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, told in _operations(document):
        if api.id in told.get("tags", ()):
            paths.setdefault(path, {})[method] = told
    all_schemas = document["components"]["schemas"]
    needed = {
        name
        for item in paths.values()
        for told in item.values()
        for either in told.get("security", ())
        for name in either
    }
    schemes = document["components"]["securitySchemes"]
    return {
        "openapi": document["openapi"],
        "info": {
            **document["info"],
            "title": f"{document['info']['title']}: {api.title}",
            "description": api.description,
        },
        "servers": [{"url": url}],
        "tags": [one for one in document["tags"] if one["name"] == api.id],
        "paths": paths,
        "components": {
            "schemas": {
                name: all_schemas[name] for name in sorted(clients.reached(paths, all_schemas))
            },
            "securitySchemes": {n: told for n, told in schemes.items() if n in needed},
        },
    }
