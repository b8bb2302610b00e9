"""Detection: boxes in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.config import RunConfig, YamlFile
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.structures import Annotation


class Detection:
    """The task of finding boxes; see `lightdet.tasks.task.Task`."""

    name: Literal["detect"] = "detect"
    noun = "detector"

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> RunConfig:
        """The configuration of a detector's run."""
        from lightdet.config import load_config  # noqa: PLC0415

        return load_config(file, overrides)

    def check_dataset(self, spec: DatasetSpec) -> None:
        """Boxes are needed."""
        if spec.labels_pictures:
            raise UserError(
                f"gives each picture a class (format: {spec.format}), and a detector needs boxes: take a classifier "
                "for it, such as --config configs/classify/mobilenet_v2.yaml",
                path=spec.path,
            )

    def read_split(
        self, spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
    ) -> tuple[list[Annotation], list[UserError]]:
        """An `Annotation` per picture."""
        from lightdet.data.dataset import read_split  # noqa: PLC0415

        self.check_dataset(spec)
        return read_split(spec, split, on_error=on_error)


DETECTION = Detection()
