"""Why a network reports what it does: the same questions, answered by detectors and by classifiers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.decisions import ClassRule
from lightdet.errors import UserError
from lightdet.explaining.heat import Heat
from lightdet.explaining.reported import reported_heat
from lightdet.geometry.tiles import Tile
from lightdet.options.explain import ExplainOptions
from lightdet.structures import Classification, Detections, Preprocessing
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.explaining.classifier import ClassifierExplainer, ClassifierLook
    from lightdet.explaining.detector import DetectorExplainer, DetectorLook

MOST_TOGETHER = 5
"""How many boxes per picture ``lightdet detect --explain`` shows heat for."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why one box, or one class, is reported.

    Attributes:
        name: of the class.
        label: of the class.
        score: the box's score, the class's probability, or, for a class without a box, the best candidate's score.
        heat: over the picture.
        number: of the box in its picture, from 1; None for a class.
        box: x1, y1, x2, y2 in pixels; None for a class.
        note: anything else worth knowing.
    """

    name: str
    label: int
    score: float
    heat: Heat
    number: int | None = None
    box: FloatArray | None = None
    note: str = ""

    def caption(self) -> str:
        """One line for the overlay."""
        if self.heat.is_empty:
            return f"no evidence for '{self.name}' in the picture ({self.score:.2f})"
        text = f"why '{self.name}' {self.score:.2f}"
        if self.box is not None:
            share = self.heat.share_in(self.box) or 0.0
            text = f"why box {self.number}: '{self.name}' {self.score:.2f} – {share:.0%} of the heat is in it"
        return f"{text} – {self.note}" if self.note else text

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON: pixels of the picture, shares 0 to 1."""
        values: dict[str, Any] = {
            "kind": "class" if self.box is None else "box",
            "name": self.name,
            "label": self.label,
            "score": round(self.score, 4),
            "peak": list(self.heat.peak) if self.heat.peak is not None else None,
        }
        if self.box is not None:
            share = self.heat.share_in(self.box)
            values |= {
                "number": self.number,
                "box": [round(float(value), 2) for value in self.box],
                "heat_in_box": None if share is None else round(share, 4),
                "area_of_box": round(self.heat.area_share(self.box), 4),
            }
        return values | ({"note": self.note} if self.note else {})


@dataclass(frozen=True, eq=False)
class Together:
    """The evidence for what is reported in a picture: one heat map, one line, and a detector's boxes that have it."""

    heat: Heat
    caption: str
    detections: Detections | None


class Explainer(Protocol):
    """A network whose answers can be explained."""

    names: tuple[str, ...]
    preprocessing: Preprocessing

    def explain(self, picture: Image, options: ExplainOptions) -> list[Explanation]:
        """Return the explanations that `options` asks for in one picture (uint8 RGB ``[H, W, 3]``); possibly none.

        Raises:
            UserError: a box that is not there.
        """
        ...

    def together(self, picture: Image, reported: Any, tiles: Sequence[Tile]) -> Together:
        """Return the evidence for what was reported in one picture: `reported`, the task's own result.

        A detector found it in `tiles`; the whole picture is one.
        """
        ...


def label_of(name: str, names: Sequence[str]) -> int:
    """The label of the class called `name`.

    Raises:
        UserError: there is none.
    """
    if name in names:
        return list(names).index(name)
    folded = [known.casefold() for known in names]
    if folded.count(name.casefold()) == 1:
        return folded.index(name.casefold())
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(names)}"
    raise UserError(f"the model has no class '{name}'{hint}")


class DetectorAnswers:
    """Explains a detector's answers."""

    def __init__(self, explainer: DetectorExplainer) -> None:
        self.explainer = explainer
        self.names = explainer.names
        self.preprocessing = explainer.preprocessing

    def explain(self, picture: Image, options: ExplainOptions) -> list[Explanation]:
        """See `Explainer`."""
        wanted = None if options.class_name is None else label_of(options.class_name, self.names)
        look = self.explainer.look(picture)
        if wanted is not None:
            return [self._category(look, wanted)]
        count = len(look.detections)
        if options.box is None:
            return [_box(look, number) for number in range(min(count, options.top or 3))]
        if options.box > count:
            found = f"{counted(count, 'box')} of a score of at least {self.explainer.confidence:g}"
            raise UserError(f"has only {found}, so there is no box {options.box}; a lower --confidence shows more")
        return [_box(look, options.box - 1)]

    def together(self, picture: Image, reported: Any, tiles: Sequence[Tile]) -> Together:
        """See `Explainer`."""
        if not len(reported):
            return Together(Heat(np.zeros(picture.shape[:2], np.float32)), "nothing was found", None)
        shown = reported.only(np.arange(len(reported)) < MOST_TOGETHER)
        heat, explained = reported_heat(self.explainer, picture, shown, tiles)
        best = explained == len(shown) < len(reported)
        which = f"the {explained} best boxes" if best else counted(explained, "box")
        return Together(heat, f"evidence for {which}", shown)

    def _category(self, look: DetectorLook, label: int) -> Explanation:
        count = int((look.detections.labels == label).sum())
        note = f"{counted(count, 'box')}" if count else "not reported; the best candidate"
        return Explanation(self.names[label], label, look.best_score(label), look.category(label), note=note)


def _box(look: DetectorLook, number: int) -> Explanation:
    found = look.detections
    label = int(found.labels[number])
    return Explanation(
        found.names[label],
        label,
        float(found.scores[number]),
        look.box(number),
        number=number + 1,
        box=found.boxes[number],
    )


class ClassifierAnswers:
    """Explains a classifier's answers; if it has an OK/NG rule, those for the bad class that decides."""

    def __init__(self, explainer: ClassifierExplainer, rule: ClassRule | None) -> None:
        self.explainer, self.rule = explainer, rule
        self.names = explainer.names
        self.preprocessing = explainer.preprocessing

    def explain(self, picture: Image, options: ExplainOptions) -> list[Explanation]:
        """See `Explainer`."""
        wanted = None if options.class_name is None else label_of(options.class_name, self.names)
        look = self.explainer.look(picture)
        if wanted is None and options.top is None:
            return [self._decisive(look)]
        order = np.argsort(-look.probabilities, kind="stable")[: options.top or 1]
        labels = [int(label) for label in order] if wanted is None else [wanted]
        return [self._of(look, label) for label in labels]

    def together(self, picture: Image, reported: Any, tiles: Sequence[Tile]) -> Together:
        """See `Explainer`."""
        explanation = self._decisive(self.explainer.look(picture))
        return Together(explanation.heat, explanation.caption(), None)

    def _decisive(self, look: ClassifierLook) -> Explanation:
        if self.rule is None:
            return self._of(look, int(look.probabilities.argmax()))
        decision = self.rule.decide(Classification(look.probabilities, self.names, look.size))
        return self._of(look, decision.label, note=decision.caption())

    def _of(self, look: ClassifierLook, label: int, note: str = "") -> Explanation:
        return Explanation(self.names[label], label, float(look.probabilities[label]), look.category(label), note=note)
