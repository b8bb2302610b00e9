"""Pictures of a split in batches, read while the network works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.runs.for_model import DepthError, PicturesForModel


def decoded(
    truths: Sequence[Any], batch: int, pictures: PicturesForModel
) -> Iterator[tuple[Sequence[Any], list[Image | UserError]]]:
    """Yield batches of pictures, or why they cannot be read; the next one is read while the network works on the last.

    Raises:
        DepthError: as `PicturesForModel.read`; it concerns the set as a whole, and is nothing to skip.
    """

    def read(truth: Any) -> Image | UserError:
        try:
            return pictures.read(truth.image)
        except DepthError:
            raise
        except UserError as error:
            return error

    chunks = [truths[start : start + batch] for start in range(0, len(truths), batch)]
    with ThreadPoolExecutor(4) as pool:
        waiting: list[Future[Image | UserError]] = [pool.submit(read, each) for each in chunks[0]] if chunks else []
        try:
            for number, chunk in enumerate(chunks):
                following = chunks[number + 1] if number + 1 < len(chunks) else []
                ready, waiting = waiting, [pool.submit(read, each) for each in following]
                yield chunk, [future.result() for future in ready]
        finally:
            pool.shutdown(cancel_futures=True)
