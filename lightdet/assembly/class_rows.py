"""The outputs of a network by class: what one network has learned of a class goes to the same class in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClassRows:
    """How the rows of a network's outputs belong to its classes.

    Attributes:
        names, before: the classes of the network, and of the one to copy from, by label.
        lead: rows before those of the classes, for each anchor: they are copied as they are.
        anchors: how often the rows repeat.
    """

    names: Sequence[str]
    before: Sequence[str]
    lead: int = 0
    anchors: int = 1

    @property
    def known(self) -> list[str]:
        """The classes that both have. A network of one class has learned nothing to tell it apart."""
        return [name for name in self.names if name in self.before] if len(self.before) > 1 else []

    def copy(self, own: Tensor, theirs: Tensor | None) -> bool:
        """Copy ``[anchors * (lead + C'), ...]`` into `own`, ``[anchors * (lead + C), ...]``; False if that is not so.

        Rows of classes that only `own` has stay as they are.
        """
        if theirs is None or own.ndim != theirs.ndim or own.shape[1:] != theirs.shape[1:] or not own.ndim:
            return False
        for tensor, names in ((own, self.names), (theirs, self.before)):
            if tensor.shape[0] != self.anchors * (self.lead + len(names)):
                return False
        mine, other = (tensor.view(self.anchors, -1, *tensor.shape[1:]) for tensor in (own, theirs))
        mine[:, : self.lead].copy_(other[:, : self.lead])
        for name in self.known:
            mine[:, self.lead + self.names.index(name)] = other[:, self.lead + self.before.index(name)]
        return bool(self.lead or self.known)

    def summary(self) -> str:
        """Which classes keep their weights, in words."""
        new = [name for name in self.names if name not in self.known]
        kept = f"{', '.join(self.known)} {'keeps its' if len(self.known) == 1 else 'keep their'} weights"
        start = f"{', '.join(new)} {'starts' if len(new) == 1 else 'start'} from random ones"
        return "; ".join([*([kept] if self.known else []), *([start] if new else [])])
