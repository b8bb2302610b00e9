"""API keys with names and roles, what each role may do, and whose request it is."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from fastapi import Request

from lightdet.errors import UserError
from lightdet.secret_file import read_text
from lightdet.web.errors import RefusalError

Role = Literal["operator", "integrator", "engineer"]
Right = Literal["inspect", "read", "correct", "override", "change_model", "change_zones"]

RIGHTS: Mapping[str, frozenset[str]] = {
    "operator": frozenset({"inspect", "read", "correct"}),
    "integrator": frozenset({"inspect", "read", "change_zones"}),
    "engineer": frozenset(get_args(Right)),
}
"""By role. `docs/service.md` has the same as a table."""
_WORDS: Mapping[Right, str] = {
    "inspect": "to inspect pictures",
    "read": "to read records",
    "correct": "to correct a record",
    "override": "to decide by another threshold",
    "change_model": "to change the model",
    "change_zones": "to change the zones",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASHED = re.compile(r"sha256:([0-9a-f]{64})")
_SHORTEST = 16
"""Least number of characters of a key in a file of keys: a shorter one could be guessed."""


@dataclass(frozen=True)
class Key:
    """An API key; of the key itself only its SHA-256 is held.

    Attributes:
        name: who has it, as records name it.
        role: what it may do, see `RIGHTS`.
        digest: SHA-256 of the key, hexadecimal.
    """

    name: str
    role: Role
    digest: str = field(repr=False)


@dataclass(frozen=True)
class Caller:
    """Who makes a request: the key's name and role; both "" if the service requires no key."""

    name: str = ""
    role: str = ""

    def may(self, right: Right) -> bool:
        """Whether this caller may do it; without keys, everyone may."""
        return not self.role or right in RIGHTS[self.role]

    def must(self, right: Right) -> None:
        """Refuse what this caller may not do.

        Raises:
            RefusalError: it needs another role (403).
        """
        if not self.may(right):
            needed = " or ".join(role for role, rights in RIGHTS.items() if right in rights)
            message = f"{_WORDS[right]}, the key needs the role {needed}; '{self.name}' has the role {self.role}"
            raise RefusalError(403, "wrong_role", message)


def single_key(key: str) -> Key:
    """Return a service's only key: an engineer's, named "key"."""
    return Key("key", "engineer", _digest(key.encode()))


def find_caller(shown: str, keys: tuple[Key, ...]) -> Caller:
    """Return whose key was shown, in a time that does not reveal how much of it was right.

    Raises:
        RefusalError: none was shown (401 ``no_key``), or one that is not known (401 ``wrong_key``).
    """
    if not shown:
        message = "an API key is needed: send the header 'X-API-Key: …' or 'Authorization: Bearer …'"
        raise RefusalError(401, "no_key", message)
    digest = _digest(shown.encode())
    found = [key for key in keys if hmac.compare_digest(digest, key.digest)]
    if not found:
        raise RefusalError(401, "wrong_key", "this API key is unknown here; check it, or ask for another one")
    return Caller(found[0].name, found[0].role)


def caller_of(request: Request) -> Caller:
    """Return who makes this request, as the guard found it."""
    caller: Caller = request.scope.get("lightdet.caller", Caller())
    return caller


def needs(right: Right) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency of a route that refuses callers without this right (403)."""

    async def check(request: Request) -> None:
        caller_of(request).must(right)

    return check


def read_keys(file: Path) -> tuple[Key, ...]:
    """Read a file of keys: ``NAME ROLE KEY`` per line, the key itself or ``sha256:`` and its SHA-256; ``#`` comments.

    Raises:
        UserError: it cannot be read, has no key, or a line is no key.
    """
    keys: list[Key] = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key = _parse(text, file, number)
        if any(key.name == other.name for other in keys):
            raise UserError(f"the name '{key.name}' appears twice; give every key its own", path=file, line=number)
        if any(key.digest == other.digest for other in keys):
            raise UserError(f"the key of '{key.name}' appears twice; make another one", path=file, line=number)
        keys.append(key)
    if not keys:
        raise UserError("holds no key; write NAME ROLE KEY, one per line", path=file)
    return tuple(keys)


def _parse(text: str, file: Path, line: int) -> Key:
    """Messages here never quote the line: it may hold a key."""
    words = text.split()
    if len(words) != 3:
        raise UserError("write NAME ROLE KEY, with spaces between them and none in them", path=file, line=line)
    name, role, key = words
    if not _NAME.fullmatch(name):
        raise UserError("a name has up to 64 letters, digits, '.', '_' and '-'", path=file, line=line)
    if role not in get_args(Role):
        raise UserError(f"the role of '{name}' must be {', '.join(get_args(Role))}", path=file, line=line)
    hashed = _HASHED.fullmatch(key)
    if key.startswith("sha256:") and hashed is None:
        raise UserError(f"the SHA-256 of '{name}' must have 64 digits 0-9 and a-f", path=file, line=line)
    if hashed is None and (len(key) < _SHORTEST or not (key.isascii() and key.isprintable())):
        message = f"the key of '{name}' must have {_SHORTEST} characters or more, plain ASCII"
        raise UserError(message, path=file, line=line)
    return Key(name, role, hashed[1] if hashed else _digest(key.encode()))  # type: ignore[arg-type]  # checked above


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
