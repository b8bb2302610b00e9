"""Addresses of streams, and which parts may be shown: never a user, a password, a key or a token.

Parsers of URLs disagree about ``/``, ``?``, ``#`` and ``@`` in a password, so an address that could be split in two
ways is refused rather than split, and no message quotes it. Cameras also take passwords in the path
(``/user=admin_password=…``, ``/live/user/password/1.ts``) and in the query: only words and numbers of the path
that name a channel are shown, and nothing of the query.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")
HOSTLESS = ("udp", "tcp")
"""Schemes that may listen on a port of this computer: ``udp://@:1234``."""
STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes of object stores: ``s3://bucket/key``. Their keys are names, and are shown."""
ARCHIVES = ("zip", "tar")
"""Schemes of places in an archive: ``zip://a/b.png::s3://bucket/parts.zip``."""
HIDDEN = "…"

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,15}", re.IGNORECASE)
_HOST = re.compile(r"(?P<host>[\w.-]*|\[[0-9a-f:.]+(?:%\w+)?\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_WORD = (
    "(?:a?live|av|axis|cam|camera|cgi|ch|channels?|event|feed|h26[45]|high|hd|image|img|line|low|m3u8?|main|media|mjpe?g"
    "|mp4|mpeg4?|onvif|play|pr(?:im|eview|ofile)|realmonitor|screen|sd|sdp|sec|second|snap|snapshot|stream(?:ing)?|sub"
    "|third|track(?:id)?|ts|video)"
)
_TOKEN = rf"(?:{_WORD}{{1,3}}[0-9]{{0,3}}|[0-9]{{1,3}})"
_PLAIN_SEGMENT = re.compile(rf"{_TOKEN}(?:[._-]{_TOKEN}){{0,4}}", re.IGNORECASE)
_FILE = re.compile(
    r"[^/]\.(?:jpe?g|png|bmp|tiff?|webp|gif|zip|tar|tgz|gz|ya?ml|safetensors|onnx|xml|json|csv|txt)\Z", re.IGNORECASE
)
"""The end of a path that names a file, not a camera's channel."""
_STORED = re.compile(rf"\A(?:{'|'.join((*STORES, *ARCHIVES))}):[/\\]", re.IGNORECASE)
_PORT = re.compile(r"[^:]*(?::[0-9]{0,5})?")
# A scheme has at least two letters, because C:/ is a drive; Path leaves only one slash in an address.
_ADDRESS = re.compile(rf"[a-z][a-z0-9+.-]+:[/\\]|\b(?:{'|'.join(SCHEMES)}):", re.IGNORECASE)
_SIGN_IN = re.compile(
    r"(?<!\A[a-z]):.*@|(?:user|usr|login|pass|passwd|password|pwd|pw|key|token|auth|secret)[=:]",
    re.IGNORECASE | re.DOTALL,
)
_ANY_VALUE = re.compile(r"((?:user|usr|pass|passwd|password|pwd|token|key|secret)\w*=)[^&\s'\"]+", re.IGNORECASE)
_ANY_SIGN_IN = re.compile(r"([a-z][a-z0-9+.-]*:/{1,2}).*@", re.IGNORECASE)

# Up to the last @ of a quoted text, as in `hide_sign_in`; a query contains no spaces.
_WITH_SECRET = re.compile(r"\b[a-z][a-z0-9+.-]+:/(?:[^\n']*@[^\s',;]*|[^\s'?]*\?[^\s']+)", re.IGNORECASE)


class Address(NamedTuple):
    """The parts of a stream's address that may be shown."""

    scheme: str
    host: str
    port: str | None
    path: str
    """Begins with a slash, or is empty."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}{self.path}"


def split_address(text: str) -> Address:
    """Return the parts that may be shown of an address ``scheme://user:password@host:port/path?query``.

    Raises:
        ValueError: an unknown kind, or ambiguous; the message quotes only its scheme.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError("the stream's address is not valid: write rtsp://user:password@host:port/path")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"'{scheme}://' is not a stream that can be read; known: {', '.join(SCHEMES)}")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    if "@" in behind:
        raise ValueError(
            "the stream's address can be split in two ways: in a user and a password write / as %2F, ? as %3F, "
            "# as %23, and an @ after the host as %40"
        )
    where = _HOST.fullmatch(authority.rpartition("@")[2])
    if where is None or not (where["host"] or scheme in HOSTLESS) or int(where["port"] or 0) > 0xFFFF:
        raise ValueError(
            "the stream's address is not valid: behind :// and user:password@ comes a host, and then at most a port "
            "of up to 65535; in a user and a password write / as %2F, ? as %3F, # as %23 and @ as %40"
        )
    path = re.split(r"[?#]", behind, maxsplit=1)[0]
    named = scheme in ("http", "https") and _FILE.search(path) and not _SIGN_IN.search(path)
    return Address(scheme, where["host"], where["port"], path if named else _plain_path(path))


def _plain_path(path: str) -> str:
    """The path up to its first segment that may be a secret."""
    shown = ""
    for segment in path.split("/")[1:]:
        if segment and not _PLAIN_SEGMENT.fullmatch(segment):
            return f"{shown}/{HIDDEN}"
        shown += f"/{segment}"
    return shown


def may_hold_secret(text: str) -> bool:
    """Whether a text that is not a file name may be an address, or part of one: then no message may quote it."""
    return _ADDRESS.search(text) is not None or _SIGN_IN.search(text) is not None


def _shown_stored(text: str) -> str:
    """An object's or an archive member's address: with its key, without user, password and query."""
    scheme, _, rest = text.replace("\\", "/").partition(":")
    scheme, rest = scheme.lower(), rest.lstrip("/")
    if scheme in ARCHIVES:
        inner, chained, outer = rest.partition("::")
        return f"{scheme}://{hide_sign_in(inner)}{chained}{shown_address(outer)}"
    authority, slash, key = rest.partition("/")
    container, _, host = authority.rpartition("@")
    split_twice = "@" in key and ":" in container  # a password may hold @ and /
    if "?" in container or split_twice or (":" in host and not (_PORT.fullmatch(host) and "@" not in key)):
        return f"{scheme}://{HIDDEN}"  # what stands before an @ of the key may be a password
    if scheme.startswith("abfs") and container and ":" not in container:
        host = authority  # abfs://container@account.dfs.core.windows.net/key
    return f"{scheme}://{host}{slash}{hide_sign_in(key)}".partition("?")[0]


def shown_address(text: str) -> str:
    """A text as messages may quote it: an address without its secrets, anything else unchanged."""
    if not _ADDRESS.search(text):
        return text
    if _STORED.search(text):
        return _shown_stored(text)
    try:
        return str(split_address(re.sub(r":[/\\]*", "://", text, count=1)))
    except ValueError:
        scheme = text.partition(":")[0]
        return f"{scheme.lower()}://{HIDDEN}" if _SCHEME.fullmatch(scheme) else HIDDEN


def without_secrets(message: str) -> str:
    """A message with its addresses as they may be shown; files may name pictures by address."""
    if ":/" not in message or "user:password@" in message:  # the latter are our own examples
        return message
    return _WITH_SECRET.sub(lambda match: match[0] if _is_hidden(match[0]) else shown_address(match[0]), message)


def _is_hidden(address: str) -> bool:
    """Whether an address already has its password as ``***``, and nothing after it that may hold another."""
    return re.fullmatch(r"[^@]*[:/]\*\*\*@[^@?]*", address) is not None


def hide_sign_in(text: str) -> str:
    """A text without the user and password of an address in it: ``rtsp://***@host?password=***``."""
    # Up to the last @ of a line: better to hide too much than to show a password with an @ or a space in it.
    return _ANY_VALUE.sub(r"\1***", _ANY_SIGN_IN.sub(r"\1***@", text))


def ascii_url(url: str) -> str:
    """A web address as HTTP can send it: other letters than ASCII's percent-encoded, in its host by IDNA.

    Raises:
        ValueError: it is none, or has no host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no address of the web")
    parts.hostname.encode("idna")  # its labels may be empty or too long
    if url.isascii():
        return url
    user, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.partition(":")
    netloc = place if place.isascii() else f"{host.encode('idna').decode()}{colon}{port}"
    path, query = (quote(part, safe=string.printable) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, quote(user, safe=string.printable) + at + netloc, path, query, ""))


def shown_name(text: str, *, folders: bool = False) -> str:
    """A caller's name of a picture, without folders; for an address without query and possible secrets.

    With `folders`, a name that is no address stays as it is. So does what only looks like a password: ``PW:0042`` may
    be a serial number.
    """
    address = _ADDRESS.search(text) or (("?" in text or "@" in text) and _SIGN_IN.search(text))
    if folders and not address:
        return text
    if _ADDRESS.search(text):
        # For pictures on the web the last part is a name; for streams it may be a key.
        named = "@" not in text and text.lower().startswith(("http:", "https:"))
        text = re.split(r"[?#]", text, maxsplit=1)[0] if named else shown_address(text)
    name = text.replace("\\", "/").rpartition("/")[2]
    return HIDDEN if address and _SIGN_IN.search(name) else name
