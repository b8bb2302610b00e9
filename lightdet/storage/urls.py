"""Which texts are URLs of stored files, and which name an archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from lightdet.addresses import ARCHIVES, STORES
from lightdet.errors import UserError

WEB = ("http", "https")
ArchiveKind = Literal["zip", "tar"]
_ARCHIVE = re.compile(r"\.(?:(zip)|tar|tgz|tar\.gz|tar\.bz2|tar\.xz)\Z", re.IGNORECASE)
# A Path leaves one slash of two, and on Windows turns it round.
_URL = re.compile(rf"({'|'.join((*STORES, *ARCHIVES, *WEB, 'file'))}):[/\\]+([^/\\].*|\Z)", re.IGNORECASE | re.DOTALL)


class Place(NamedTuple):
    """What a text names.

    Attributes:
        url: the URL, or the path of a local file; it may hold a password.
        members: for an archive: which of its files, as a folder, a name or a glob; "" for all. None: no archive.
        kind: of the archive.
    """

    url: str
    members: str | None = None
    kind: ArchiveKind = "zip"


def as_url(value: str | Path) -> str | None:
    """The URL that a text stands for, also one that was made a path (``s3:/bucket/key``); None for anything else."""
    text = str(value)
    if chained := re.match(rf"({'|'.join(ARCHIVES)}):[/\\]*(.*?)::(.*)\Z", text, re.IGNORECASE | re.DOTALL):
        scheme, inner, outer = chained.groups()
        return f"{scheme.lower()}://{inner}::{as_url(outer) or outer}"
    found = _URL.fullmatch(text)
    if found is None:
        return None
    scheme, rest = found[1].lower(), found[2]
    if isinstance(value, Path):
        rest = rest.replace("\\", "/")
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"


def scheme_of(url: str) -> str:
    """``s3`` of ``s3://bucket/key``; "" for a path."""
    before, found, _ = url.partition("://")
    return before if found else ""


def local_path(value: str | Path) -> Path | None:
    """The path of a ``file://`` URL; None for anything else."""
    url = as_url(value)
    return Path(url[len("file://") :]) if url is not None and scheme_of(url) == "file" else None


def file_part(url: str) -> str:
    """The path of a URL, without query and fragment where it has those: what its suffix is read from."""
    return re.split(r"[?#]", url, maxsplit=1)[0] if scheme_of(url) in WEB else url


def archive_kind(name: str) -> ArchiveKind | None:
    """The kind of archive that a file name or URL ends like; None: no archive."""
    found = _ARCHIVE.search(file_part(name))
    return None if found is None else "zip" if found[1] else "tar"


def place_of(text: str) -> Place:
    """Read ``zip://a/*.png::s3://bucket/parts.zip``, an archive's own name, or any other file's.

    Raises:
        UserError: a place in an archive, without the archive or with another URL in front than ``zip:`` or ``tar:``.
    """
    url = as_url(text) or text
    if scheme_of(url) not in ARCHIVES:
        ending = archive_kind(url)
        return Place(url) if ending is None else Place(url, "", ending)
    inner, chained, outer = url.partition("::")
    kind, _, members = inner.partition("://")
    if not chained or not outer:
        raise UserError(f"name the archive as well: {kind}://a/b.png::parts.{kind}", path=url)
    if scheme_of(outer) in ARCHIVES:
        raise UserError("is an archive in an archive; unpack one of them", path=url)
    return Place(str(local_path(outer) or outer), members, "zip" if kind == "zip" else "tar")
