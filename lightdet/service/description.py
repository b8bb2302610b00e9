"""The API's description for programs (``/openapi.json``), including how callers send their key and limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from lightdet.web.guard import CLOSED_PREFIXES

_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "the same key"},
}


MEANS_A_MODEL = (
    *("/api/detect", "/api/mark", "/api/model", "/api/model/change", "/api/watch/anew"),
    *("/api/zones/check", "/api/zones/change"),
)
"""Addresses whose parameter `model` says which one is meant; elsewhere it is a filter."""


def describe(app: FastAPI, *, needed: bool, most_parts: int, models: Sequence[str]) -> None:
    """Complete the description with what is known only of a service that runs.

    Args:
        app: with all its routes.
        needed: a key is.
        most_parts: most pictures of a form.
        models: the models' names; of several, one must be given.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        api = plain()  # made once; the same one from then on
        api["components"]["securitySchemes"] = _SCHEMES
        for path in ("/api/detect", "/api/mark"):
            form = api["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
            form["properties"]["pictures"]["maxItems"] = most_parts if path == "/api/detect" else 1
        for path in MEANS_A_MODEL if len(models) > 1 else ():
            for operation in api["paths"][path].values():
                [parameter] = [each for each in operation["parameters"] if each["name"] == "model"]
                parameter |= {"required": True, "schema": {"type": "string", "enum": list(models)}}
        _describe_bounds(api)
        for path, operations in api["paths"].items():
            if needed and path.startswith(CLOSED_PREFIXES):
                for operation in operations.values():
                    operation["security"] = [{name: []} for name in _SCHEMES]
        return api

    app.openapi = described  # type: ignore[method-assign]


def _describe_bounds(api: dict[str, Any]) -> None:
    """Every body is bounded alike (`lightdet.service.bodies`), also those that are no pictures."""
    pictures = api["paths"]["/api/detect"]["post"]["responses"]
    refusals = {status: pictures[status] for status in ("408", "413", "503")}
    for operations in api["paths"].values():
        for operation in operations.values():
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                operation["responses"] = refusals | operation["responses"]
