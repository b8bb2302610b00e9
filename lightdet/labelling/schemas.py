"""What the page sends, and what it is answered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lightdet.inference.source import printable
from lightdet.labelling.marks import State
from lightdet.labelling.pictures import place_id
from lightdet.labelling.proposals import Proposal
from lightdet.labelling.store import MOST_MARKS, Drawn, Store, View

Number = Annotated[float, Field(allow_inf_nan=False)]


class Sent(BaseModel):
    """A body of a request: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SentMark(Sent):
    """A box: ``x1, y1, x2, y2`` in pixels, its class, and the number of the mark that it was, null for a new one."""

    box: Annotated[list[Number], Field(min_length=4, max_length=4)]
    name: Annotated[str, Field(max_length=200)]
    origin: Annotated[int, Field(ge=0)] | None = None

    def drawn(self) -> Drawn:
        """The same for the store."""
        x1, y1, x2, y2 = self.box
        return Drawn((x1, y1, x2, y2), self.name, self.origin)


class SentLabels(Sent):
    """All labels of a picture, and the version that they replace."""

    version: Annotated[int, Field(ge=0)]
    marks: Annotated[list[SentMark], Field(max_length=MOST_MARKS)]
    state: State


class SentVersion(Sent):
    """The version that is undone or redone."""

    version: Annotated[int, Field(ge=0)]


class SentClass(Sent):
    """A new class, and the id of the folder that the page shows."""

    folder: Annotated[str, Field(max_length=16)]
    name: Annotated[str, Field(min_length=1, max_length=200)]


def picture_answer(store: Store, view: View, image: str) -> dict[str, Any]:
    """A picture with its labels, and the counts that they changed; `image` names its file as it is now."""
    marks = [{"box": list(mark.box), "name": mark.name, "outline": mark.outline} for mark in view.content or ()]
    return {
        "id": view.picture.id,
        "name": printable(view.picture.name),
        "size": list(view.picture.size),
        "image": image,
        "version": view.version,
        "state": view.state,
        "marks": marks,
        "can_undo": view.can_undo,
        "can_redo": view.can_redo,
        "fault": printable(view.fault),
        **counts_answer(store),
    }


def counts_answer(store: Store) -> dict[str, Any]:
    """How many pictures are in each state, and how many boxes each class has."""
    states, names = store.counts()
    classes = [{"name": name, "boxes": names[name]} for name in store.folder.classes]
    return {"states": {state: states[state] for state in ("unlabelled", "labelled", "doubtful")}, "classes": classes}


def folder_answer(store: Store, model: str | None) -> dict[str, Any]:
    """The folder: its pictures with their states, its classes, what proposes boxes."""
    folder = store.folder
    pictures = [
        {
            "id": picture.id,
            "name": printable(picture.name),
            "state": state,
            "boxes": boxes,
            "fault": bool(picture.fault),
        }
        for picture, state, boxes in store.listing()
    ]
    return {
        "id": place_id(folder.root),
        "folder": printable(folder.root.absolute().name),
        "format": folder.title,
        "model": model,
        "can_add": folder.can_add,
        "classes_in": None if folder.listed_in is None else printable(folder.listed_in.name),
        "pictures": pictures,
        **counts_answer(store),
    }


def proposals_answer(found: list[Proposal]) -> dict[str, Any]:
    """What a model proposes."""
    return {"proposals": [{"box": list(each.box), "name": each.name, "score": round(each.score, 4)} for each in found]}
