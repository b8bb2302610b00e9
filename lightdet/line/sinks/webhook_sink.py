"""Results as HTTP POSTs: signed, one after the other, again and again until the receiver has them."""

from __future__ import annotations

import json

from lightdet.line.ledger import Waiting
from lightdet.line.sinks.sink import AwayError, RefusedError
from lightdet.service.webhook import Poster

_REFUSALS = ("answers 400", "answers 413", "answers 415", "answers 422")
"""What a receiver says of a result. Another 4xx is a wrong address or secret: results wait until it is put right."""


class WebhookSink:
    """Posts each result; ``X-Lightdet-Delivery`` is its id, by which a receiver knows one that comes twice.

    Args:
        url: where to.
        secret: see `lightdet.service.webhook.signature`.
    """

    batch = 1

    def __init__(self, url: str, secret: str) -> None:
        self._poster = Poster(url, secret)

    def take(self, results: list[Waiting]) -> None:
        """Post one result.

        Raises:
            AwayError: the receiver cannot be reached, or asks for another try later.
            RefusedError: it answers that it cannot take this result.
        """
        for each in results:
            problem, _ = self._poster.post(json.dumps(each.body, ensure_ascii=False).encode(), each.id)
            if problem:
                raise (RefusedError if problem in _REFUSALS else AwayError)(f"{self._poster.shown} {problem}")

    def close(self) -> None:
        """Nothing is held open."""
