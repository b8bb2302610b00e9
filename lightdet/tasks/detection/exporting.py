"""How a network is exported: boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.card import SHOWN_FROM, peek_model_card
from lightdet.errors import UserError
from lightdet.structures.scores import raw_floor

if TYPE_CHECKING:
    from lightdet.exporting.network import Deployable
    from lightdet.exporting.proof import Proof
    from lightdet.inference.export_card import ExportCard
    from lightdet.options.export import ExportOptions
    from lightdet.structures import Preprocessing


class DetectionExporting:
    """See `lightdet.tasks.exporting.Exporting`."""

    proof_batch = 8

    def deployable(self, network: Any, preprocessing: Preprocessing, options: ExportOptions) -> Deployable:
        """With the decoding of its grids if NMS follows."""
        from lightdet.exporting.network import deployable  # noqa: PLC0415

        try:
            return deployable(
                network,
                preprocessing,
                layout="planar" if options.format == "onnx" else "interleaved",
                decode=options.nms,
                sums=options.format == "openvino" and options.precision != "int8",
                half=options.precision == "fp16" and options.format == "onnx",
            )
        except NotImplementedError:
            raise UserError("networks of this kind cannot be exported", path=options.weights) from None

    def complete_graph(self, traced: Any, options: ExportOptions) -> Any:
        """NMS, if it is to be in the network."""
        if not options.nms:
            return traced
        from lightdet.exporting.onnx_nms import add_nms  # noqa: PLC0415

        thresholds = _export_thresholds(options)
        thresholds["confidence"] = raw_floor(thresholds["confidence"])  # the card says what they must reach
        return add_nms(traced, **thresholds, agnostic=options.agnostic)

    def outputs(self, deploy: Deployable, options: ExportOptions) -> dict[str, Any]:
        """Grids and thresholds."""
        return {
            "outputs": "detections" if options.nms else deploy.outputs,
            "anchors": deploy.anchors,
            "strides": deploy.strides,
            "agnostic": options.agnostic,
            **_export_thresholds(options),
        }

    def quantized_nodes(self) -> Sequence[str]:
        """Convolutions and what is between them."""
        from lightdet.exporting.quantize import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """The same detections."""
        from lightdet.exporting.proof import prove_detections  # noqa: PLC0415

        return prove_detections(run, card, precision)


def _export_thresholds(options: ExportOptions) -> dict[str, Any]:
    from lightdet.config import EvalConfig  # noqa: PLC0415

    defaults = EvalConfig()
    card = peek_model_card(Path(options.weights))
    usual = SHOWN_FROM if card is None else card.confidence
    return {
        "confidence": usual if options.confidence is None else options.confidence,
        "iou": defaults.iou if options.iou is None else options.iou,
        "max_detections": options.max_detections or defaults.max_detections,
    }
