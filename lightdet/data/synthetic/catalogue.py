"""The catalogue: the classes and their defects, the parts and the classes that can occur on them."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from lightdet.data.synthetic import (
    defects_assembly,
    defects_functional,
    defects_material,
    defects_shape,
    defects_surface,
    defects_welding,
    parts_electric,
    parts_mechanical,
    parts_metal,
)
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.scene import Scene

Defect = Callable[[Scene, Generator], Layers | None]
Part = Callable[[Generator, int], Scene]

CLASSES = ("surface", "shape_size", "material", "welding", "functional", "assembly")
"""The class names, by label: the six kinds of defect of the paper."""

DEFECTS: dict[str, tuple[Defect, ...]] = {
    "surface": (defects_surface.scratch, defects_surface.stain, defects_surface.pit),
    "shape_size": (defects_shape.burr, defects_shape.dent, defects_shape.hole_out_of_size),
    "material": (defects_material.porosity, defects_material.inclusion, defects_material.crack),
    "welding": (defects_welding.gap, defects_welding.undercut, defects_welding.spatter),
    "functional": (
        defects_functional.broken_tooth,
        defects_functional.worn_thread,
        defects_functional.missing_contact,
        defects_functional.bent_contact,
        defects_functional.open_trace,
        defects_functional.short_circuit,
    ),
    "assembly": (defects_assembly.missing, defects_assembly.misplaced),
}
"""The defects of each class; one that a scene has no place for returns None."""

PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "machined_plate": (parts_metal.machined_plate, ("surface", "shape_size", "material", "assembly")),
    "casting": (parts_metal.casting, ("surface", "shape_size", "material")),
    "brushed_sheet": (parts_metal.brushed_sheet, ("surface", "shape_size", "material", "assembly")),
    "flange": (parts_metal.flange, ("surface", "shape_size", "material", "assembly")),
    "welded_joint": (parts_mechanical.welded_joint, ("surface", "material", "welding")),
    "gear": (parts_mechanical.gear, ("surface", "material", "functional")),
    "threaded_rod": (parts_mechanical.threaded_rod, ("functional",)),
    "board": (parts_electric.board, ("shape_size", "functional", "assembly")),
    "connector": (parts_electric.connector, ("surface", "shape_size", "functional")),
}
"""The parts, each with the classes of defect that are drawn on it."""

SCALABLE = ("surface", "shape_size", "material", "welding")
"""The classes with defects of any size; those of the others are as large as what they concern (a contact, a screw)."""

EXTRA_WEIGHT = {"surface": 0.5, "shape_size": 0.7, "material": 0.5, "welding": 3.0, "functional": 1.5, "assembly": 1.4}
"""How often a class is drawn as a second or further defect: what few parts can have is drawn more often there."""
