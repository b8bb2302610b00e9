"""How a network is exported: classes of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightdet.exporting.network import Deployable
    from lightdet.exporting.proof import Proof
    from lightdet.inference.export_card import ExportCard
    from lightdet.options.export import ExportOptions
    from lightdet.structures import Preprocessing


class ClassificationExporting:
    """See `lightdet.tasks.exporting.Exporting`."""

    proof_batch = 1

    def deployable(self, network: Any, preprocessing: Preprocessing, options: ExportOptions) -> Deployable:
        """With probabilities instead of logits."""
        from lightdet.exporting.classifier import deployable_classifier  # noqa: PLC0415

        onnx = options.format == "onnx"
        half = onnx and options.precision == "fp16"
        return deployable_classifier(network, preprocessing, layout="planar" if onnx else "interleaved", half=half)

    def complete_graph(self, traced: Any, options: ExportOptions) -> Any:
        """Nothing follows the probabilities."""
        return traced

    def outputs(self, deploy: Deployable, options: ExportOptions) -> dict[str, Any]:
        """Probabilities."""
        return {"outputs": deploy.outputs}

    def quantized_nodes(self) -> Sequence[str]:
        """Dense layers as well."""
        from lightdet.exporting.classifier import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """The same probabilities."""
        from lightdet.exporting.proof import prove_probabilities  # noqa: PLC0415

        return prove_probabilities(run, precision)
