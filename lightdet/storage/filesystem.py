"""fsspec's file systems, with bounded waits, and their errors in one line that names the URL without its secrets."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightdet.addresses import STORES, hide_sign_in, split_address
from lightdet.errors import UserError
from lightdet.missing import how_to_install
from lightdet.storage.urls import WEB, scheme_of

CONNECT_SECONDS, READ_SECONDS = 10, 60
"""Longest waits for a connection, and for the next bytes of an answer."""
_S3 = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "retries": {"max_attempts": 2}}
_NEEDED = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
_NO_SIGN_IN = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ClientAuthenticationError")
_UNREACHED = ("EndpointConnectionError", "ClientConnectorError", "ServiceRequestError", "ClientConnectorDNSError")
_CUT_OFF = ("ConnectionClosedError", "HTTPClientError", "ServerDisconnectedError", "ClientPayloadError")
_WAITED = ("FSTimeoutError", "ConnectTimeoutError", "ReadTimeoutError", "ServerTimeoutError", "SocketTimeoutError")
_LONGEST = 160
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Last-Modified", "LastModified", "last_modified")
"""What file systems call the fingerprint of a file's content, the best first."""


class AwayStoreError(UserError):
    """A store cannot be reached now, or does not answer: the same may succeed later."""


@contextmanager
def explained(url: str, doing: str = "read") -> Iterator[None]:
    """Turn the errors of stores and their libraries into one line about `url`; `doing` is ``read`` or ``written``.

    Raises:
        AwayStoreError: nobody answers.
        UserError: there is no such bucket or file, it is forbidden, or anything else.
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise _explained(error, url, doing) from None
    except Exception as error:
        if not _of_a_library(error):
            raise
        raise _explained(error, url, doing) from None


def _explained(error: Exception, url: str, doing: str) -> UserError:
    kind = AwayStoreError if _is_away(error) else UserError
    return kind(f"cannot be {doing}: {_reason(error, doing)}", path=url)


def _is_away(error: Exception) -> bool:
    kinds = {each.__name__ for each in type(error).__mro__}
    status = _status(error)
    return (
        isinstance(error, TimeoutError | ConnectionError)
        or bool(kinds & {*_WAITED, *_UNREACHED, *_CUT_OFF})
        or (status is not None and status >= 500)
        or (isinstance(error, OSError) and error.errno == errno.EBUSY)  # s3fs: "slow down"
    )


def _of_a_library(error: Exception) -> bool:
    """Whether an error is one of those that the stores' libraries derive from `Exception` alone."""
    parts = {each.__module__.partition(".")[0] for each in type(error).__mro__}
    return bool(parts & {"aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs"})


def _status(error: BaseException) -> int | None:
    """What the server answered, by the name that aiohttp, Azure's library or gcsfs gives it."""
    found = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    return next((each for each in found if isinstance(each, int)), None)


def _reason(error: BaseException, doing: str) -> str:
    kinds = {each.__name__ for each in type(error).__mro__}
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return "there is no such bucket, container or file"
    forbidden = type(error) is OSError and str(error).startswith("Forbidden:")  # gcsfs
    if forbidden or isinstance(error, PermissionError) or status in (401, 403):
        return "access is forbidden; check the credentials and the rights"
    if kinds & set(_NO_SIGN_IN):
        return "no credentials were found; give them as the store's own tools take them (docs/storage.md)"
    if isinstance(error, TimeoutError) or kinds & set(_WAITED):
        return f"no answer within {READ_SECONDS} s"
    if kinds & set(_UNREACHED) or isinstance(error, ConnectionError):
        return "the server cannot be reached"
    if status is not None:
        return f"the server answers with status {status}"
    text = " ".join(str(error).split())
    return hide_sign_in(text)[:_LONGEST] or type(error).__name__


def filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for `url`, and the path in it.

    Raises:
        UserError: its library is not installed; a URL that could be split in two ways.
    """
    scheme = scheme_of(url)
    if scheme in WEB:
        try:
            split_address(url)
        except ValueError as error:
            raise UserError(str(error)) from None
    elif scheme not in STORES:
        raise UserError(f"is not a URL that can be read; known: {', '.join((*STORES, *WEB, 'file'))}", path=url)
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - only for a URL

        return _made(url_to_fs, url, scheme)
    except ImportError:
        library = _NEEDED.get(scheme, "adlfs")
        raise UserError(
            f"{scheme}:// is read with {library}, which is not installed: {how_to_install('cloud')}", path=url
        ) from None


def _made(url_to_fs: Any, url: str, scheme: str) -> tuple[Any, str]:
    options = _options(scheme)  # each iteration asks anew, so nothing that was listed is remembered
    with explained(url):
        found: tuple[Any, str] = url_to_fs(url, use_listings_cache=False, **options)
        return found


def _options(scheme: str) -> dict[str, Any]:
    """How long a library waits, in its own words."""
    if scheme in ("s3", "s3a"):
        return {"config_kwargs": _S3}
    if scheme not in (*WEB, "gs", "gcs"):
        return {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    from aiohttp import ClientTimeout  # noqa: PLC0415

    waits = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
    if scheme in WEB:
        return {"client_kwargs": {"timeout": waits, "trust_env": True}}
    if not (log := logging.getLogger("gcsfs")).handlers:
        log.addHandler(logging.NullHandler())  # otherwise Python prints what no handler takes
    return {"requests_timeout": waits}


def mark(facts: Mapping[str, Any]) -> str | None:
    """What a store says of a file's content and size, as text; None: nothing that shows a change."""
    found = next((str(facts[key]) for key in _MARKS if facts.get(key)), None)
    return None if found is None else f"{found} {facts.get('size', facts.get('Size'))}"
