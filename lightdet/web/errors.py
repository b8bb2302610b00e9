"""Refusals: each with its status, a word for programs and a sentence for people, without internal details."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lightdet.errors import UserError


class RefusalError(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status.
        code: a short word that does not change, for programs.
        message: one sentence that says what to do, for people.
        retry_after: seconds after which the same request may succeed.
        part: which picture of the request is meant, counted from 0.

    Attributes:
        close: the connection is closed after the answer, as its request was not read to the end.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None, part: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after, self.part = retry_after, part
        self.close = False

    def body(self) -> bytes:
        """Return the JSON answer."""
        error: dict[str, Any] = {"status": self.status, "code": self.code, "message": self.message}
        if self.part is not None:
            error["part"] = self.part
        return json.dumps({"error": error}, ensure_ascii=False).encode()

    def headers(self) -> dict[str, str]:
        """Return its headers."""
        extra = {"retry-after": str(self.retry_after)} if self.retry_after is not None else {}
        if self.close:
            extra["connection"] = "close"
        return {"content-type": "application/json", "cache-control": "no-store"} | extra

    def about(self, what: str) -> RefusalError:
        """Return the same, with its subject in front."""
        return RefusalError(self.status, self.code, f"{what}: {self.message}", retry_after=self.retry_after)

    def in_part(self, part: int) -> RefusalError:
        """Return the same about picture number `part` (from 0)."""
        return RefusalError(self.status, self.code, self.message, retry_after=self.retry_after, part=part)


class GoneError(Exception):
    """The caller hung up before the request was complete; there is nobody to answer."""


def busy(code: str, message: str, seconds: float = 1.0) -> RefusalError:
    """Return a refusal for a busy service: try again in `seconds` (1 to 60)."""
    return RefusalError(503, code, message, retry_after=min(60, max(1, round(seconds))))


def unreadable(error: UserError) -> RefusalError:
    """Say why a picture cannot be read: 413 too large, 415 no picture, 422 damaged or of a kind not read."""
    from lightdet.data.images import TooLargeError, UnknownFormatError  # noqa: PLC0415 - OpenCV comes with it

    if isinstance(error, TooLargeError):
        return RefusalError(413, "picture_too_large", error.message)
    if isinstance(error, UnknownFormatError):
        return RefusalError(415, "not_a_picture", error.message)
    return RefusalError(422, "bad_picture", error.message)


def plain(status: int) -> RefusalError:
    """Return the refusal for a status that needs no words of ours (404, 405, …)."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return RefusalError(status, phrase.lower().replace(" ", "_"), phrase)


def answer_in_our_words(app: FastAPI) -> None:
    """Let an application answer its own refusals (404, 405, 422, …) as it answers ours."""
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_parameter)


async def _answer_http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    refusal = plain(status)
    return Response(refusal.body(), status, refusal.headers() | headers)


async def _answer_parameter(_: Request, error: Exception) -> Response:
    """Name the parameter and what is wrong with it, without repeating what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    first = found[0] if found else {"loc": ("request",), "msg": "cannot be read"}
    message = str(first["msg"]).removeprefix("Value error, ")
    place = ".".join(map(str, first["loc"][1:] or first["loc"]))  # the first says where: query, path, body
    refusal = RefusalError(422, "bad_parameter", f"{place}: {message}")
    return Response(refusal.body(), refusal.status, refusal.headers())
