"""What the names of an output's pictures rest on, so that two pictures of one name are refused and not passed over.

A name is a path as it was given, which begins in the folder of the command, or an address without its query.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.inference.source import Source
from lightdet.storage.stored_file import StoredFile
from lightdet.storage.urls import WEB, as_url, scheme_of

NAME = "_begun.json"
"""Readers of Parquet folders pass over names that begin so."""
_SIGNATURE = re.compile(
    r"x-(?:amz|goog|ms)-.*|awsaccesskeyid|googleaccessid|signature|sig|se|sp|spr|sv|sr|st|sk\w+|expires|key-pair-id|policy"
    r"|token|access_token",
    re.IGNORECASE,
)
"""Words of a signed address, which change from day to day while the content does not."""


class Begun:
    """The folder in which an output's relative paths begin, and what addresses it knows; kept in the output
    with its first rows.

    Args:
        folder: the output.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._here = folder / NAME, str(Path.cwd())
        self._kept: dict[str, Any] = {}
        self._new = False
        with suppress(OSError, ValueError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._kept = found if isinstance(found, dict) else {}

    def check(self, source: Source) -> None:
        """Refuse a picture whose name may be another one's in this output.

        Raises:
            UserError: a relative path from another folder than before; an address that differs from an earlier one in
                what its name does not show.
        """
        place = source.name.rpartition("::")[2]
        if as_url(place) is None and not Path(place).is_absolute():
            here, before = self._here, self._keep("folder", self._here)
            if before != here:
                raise UserError(
                    f"paths in this output begin in {before}, and here they would begin in {here}, where the same "
                    "names are other files: start the run there, give whole paths, or use another --output",
                    path=self._path.parent,
                )
        if isinstance(source.target, StoredFile) and source.target.url is not None:
            self.check_address(source.target.url)

    def check_address(self, text: str) -> None:
        """Refuse an address as `check` does.

        Raises:
            UserError: see there.
        """
        url = as_url((as_url(text) or "").rpartition("::")[2])
        if url is None or scheme_of(url) not in WEB or "?" not in url:
            return
        asked = [(key, value) for key, value in parse_qsl(url.partition("?")[2], True) if not _SIGNATURE.fullmatch(key)]
        mark = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        if self._keep(f"address {shown_address(url)}", mark) != mark:
            raise UserError(
                "was given with other words behind its '?' before, which names in this output do not show: "
                "use another --output",
                path=shown_address(url),
            )

    def _keep(self, key: str, value: str) -> Any:
        """What is kept under `key`: `value`, if nothing was."""
        if key not in self._kept:
            self._kept[key], self._new = value, True
        return self._kept[key]

    def save(self) -> None:
        """Write what rows rest on, before they are written: a run that wrote none binds no other."""
        if self._new:
            write_json(self._path, self._kept)
            self._new = False
