"""The renderer of synthetic defect pictures: parts for the demo and the tests, a "teacher" for pretraining."""

from lightdet.data.synthetic.catalogue import CLASSES, SCALABLE
from lightdet.data.synthetic.plan import SyntheticPlan, default_workers
from lightdet.data.synthetic.render import Rendering, render, render_sample
from lightdet.data.synthetic.teacher import Teacher
from lightdet.data.synthetic.writer import SyntheticSet, write_synthetic

__all__ = [
    "CLASSES",
    "SCALABLE",
    "Rendering",
    "SyntheticPlan",
    "SyntheticSet",
    "Teacher",
    "default_workers",
    "render",
    "render_sample",
    "write_synthetic",
]
