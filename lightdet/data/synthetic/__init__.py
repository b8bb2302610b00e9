"""The renderer of synthetic defect pictures that the demo and the tests run on."""

from lightdet.data.synthetic.catalogue import CLASSES
from lightdet.data.synthetic.plan import SyntheticPlan, default_workers
from lightdet.data.synthetic.render import Rendering, render, render_sample
from lightdet.data.synthetic.writer import SyntheticSet, write_synthetic

__all__ = [
    "CLASSES",
    "Rendering",
    "SyntheticPlan",
    "SyntheticSet",
    "default_workers",
    "render",
    "render_sample",
    "write_synthetic",
]
