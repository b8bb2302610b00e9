"""The API's description for programs (``/openapi.json``), including how callers send their key and limits."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from lightdet.web.guard import CLOSED_PREFIXES

_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "the same key"},
}


def describe(app: FastAPI, *, needed: bool, most_parts: int) -> None:
    """Let the description say which addresses require a key, if one is `needed`, and the most pictures of a form."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        api = plain()  # made once; the same one from then on
        api["components"]["securitySchemes"] = _SCHEMES
        for path in ("/api/detect", "/api/mark"):
            form = api["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
            form["properties"]["pictures"]["maxItems"] = most_parts if path == "/api/detect" else 1
        for path, operations in api["paths"].items():
            if needed and path.startswith(CLOSED_PREFIXES):
                for operation in operations.values():
                    operation["security"] = [{name: []} for name in _SCHEMES]
        return api

    app.openapi = described  # type: ignore[method-assign]
