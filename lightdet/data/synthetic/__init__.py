"""The renderer of synthetic defect pictures that the demo and the tests run on."""

from lightdet.data.synthetic.catalogue import CLASSES
from lightdet.data.synthetic.render import Rendering, render, render_sample

__all__ = ["CLASSES", "Rendering", "render", "render_sample"]
