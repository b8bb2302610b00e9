"""Classification: a class for each whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.config import YamlFile
    from lightdet.config.classification import ClassifyConfig
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.structures import ImageLabel


class Classification:
    """The task of giving each picture a class; see `lightdet.tasks.task.Task`."""

    name: Literal["classify"] = "classify"
    noun = "classifier"

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> ClassifyConfig:
        """The configuration of a classifier's run."""
        from lightdet.config.classification import load_classify_config  # noqa: PLC0415

        return load_classify_config(file, overrides)

    def check_dataset(self, spec: DatasetSpec) -> None:
        """One class per picture is needed."""
        if not spec.labels_pictures:
            raise UserError(
                f"marks boxes (format: {spec.format}), and a classifier needs a data set with one class per picture "
                "(format folders or csv)",
                path=spec.path,
            )

    def read_split(
        self, spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
    ) -> tuple[list[ImageLabel], list[UserError]]:
        """An `ImageLabel` per picture."""
        from lightdet.data.image_labels import read_image_labels  # noqa: PLC0415

        self.check_dataset(spec)
        return read_image_labels(spec, split, on_error=on_error)


CLASSIFICATION = Classification()
