"""``python -m lightdet.service.decode_process``: decodes pictures that come on standard input, for `Decoders`.

A process of its own can be ended: a decoder that hangs, or takes all memory, costs only its picture.
Every message is the length of its JSON head, the head, and as many bytes as that says.
"""

from __future__ import annotations

import faulthandler
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from lightdet.data.images import TooLargeError, UnknownFormatError, read_pages
from lightdet.errors import UserError

_LENGTH = 8


def send(stream: IO[bytes], head: Mapping[str, Any], content: bytes | memoryview = b"") -> None:
    """Write a message."""
    text = json.dumps({**head, "bytes": len(content)}).encode()
    stream.write(len(text).to_bytes(_LENGTH, "big") + text)
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; None where the other side has ended."""
    length = stream.read(_LENGTH)
    text = stream.read(int.from_bytes(length, "big"))
    if len(length) < _LENGTH:
        return None
    with suppress(ValueError):
        head = json.loads(text)
        content = stream.read(head["bytes"])
        return (head, content) if len(content) == head["bytes"] else None
    return None


def main() -> None:
    """Answer each file with its pages and an end; if a file takes too long, the process ends."""
    with suppress(OSError, AttributeError):
        os.nice(5)  # quick pictures, decoded by the service itself, go first
    cv2.setNumThreads(1)
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not get between the messages
    with Path(os.devnull).open("w") as nowhere:
        while message := receive(requests):
            head, data = message
            faulthandler.dump_traceback_later(head.pop("seconds"), exit=True, file=nowhere)  # whatever a decoder does
            _answer(answers, data, head)
            faulthandler.cancel_dump_traceback_later()


def _answer(answers: IO[bytes], data: bytes, options: dict[str, Any]) -> None:
    options.pop("bytes")
    try:
        for page in read_pages(data, **options):
            image = np.ascontiguousarray(page.image)
            send(answers, {"number": page.number, "of": page.of, "shape": image.shape}, image.data.cast("B"))
    except UserError as error:
        kinds = (TooLargeError, UnknownFormatError)
        kind = next((each.__name__ for each in kinds if isinstance(error, each)), "")
        send(answers, {"error": error.message, "kind": kind})
    except MemoryError:
        send(answers, {"error": "there is not enough memory for this picture now", "kind": MemoryError.__name__})
    else:
        send(answers, {"end": True})


if __name__ == "__main__":
    main()
