"""What an export needs from a task: the rewritten network, and the check against the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.exporting.network import Deployable
    from lightdet.exporting.proof import Proof
    from lightdet.inference.export_card import ExportCard
    from lightdet.structures import Preprocessing


class Exporting(Protocol):
    """How a network is exported; see `lightdet.tasks.task.Task`."""

    def deployable(self, network: Any, preprocessing: Preprocessing, options: Any) -> Deployable:
        """Rewrite a network for an exported file; `options` is a `lightdet.exporting.request.ExportOptions`.

        Raises:
            UserError: networks of this kind cannot be exported.
        """
        ...

    def complete_graph(self, traced: Any, options: Any) -> Any:
        """Add what was asked for besides the network, such as NMS, to a traced ONNX model."""
        ...

    def outputs(self, deploy: Deployable, options: Any) -> dict[str, Any]:
        """What an export's card says about the outputs."""
        ...

    def quantized_nodes(self) -> Sequence[str]:
        """The kinds of ONNX nodes that are computed in int8."""
        ...

    @property
    def proof_batch(self) -> int:
        """How many pictures of the check go through a network together."""
        ...

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """Compare an export with its checkpoint.

        Args:
            run: (``checkpoint`` or ``draft``, thresholds) → its runtime's results for each picture of the check.
            card: the draft's.
            precision: the precision whose tolerance applies.

        Raises:
            UserError: the results differ.
        """
        ...
