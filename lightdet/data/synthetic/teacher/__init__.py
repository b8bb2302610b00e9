"""Pictures for pretraining: many kinds of defects on many grounds, drawn as fast as a network learns."""

from lightdet.data.synthetic.teacher.catalogue import CLASSES, GROUNDS, KINDS
from lightdet.data.synthetic.teacher.draw import Drawing, Teacher, draw

__all__ = ["CLASSES", "GROUNDS", "KINDS", "Drawing", "Teacher", "draw"]
