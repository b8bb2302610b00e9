"""The catalogue: the classes, the kinds of each, the grounds, and the classes that occur on each ground.

A new kind is a function in a ``defects_*`` file and its line in `KINDS`; a new ground one in a ``grounds_*`` file
and its line in `GROUNDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from lightdet.data.synthetic.teacher import (
    defects_areas as areas,
)
from lightdet.data.synthetic.teacher import (
    defects_edges as edges,
)
from lightdet.data.synthetic.teacher import (
    defects_holes as holes,
)
from lightdet.data.synthetic.teacher import (
    defects_lines as lines,
)
from lightdet.data.synthetic.teacher import (
    defects_made as made,
)
from lightdet.data.synthetic.teacher import (
    grounds_cloth as cloth,
)
from lightdet.data.synthetic.teacher import (
    grounds_layered as layered,
)
from lightdet.data.synthetic.teacher import (
    grounds_metal as metal,
)
from lightdet.data.synthetic.teacher import (
    grounds_mineral as mineral,
)
from lightdet.data.synthetic.teacher.scene import Patch, Scene

Draw = Callable[[Scene, Generator, float, float], Patch | None]
Make = Callable[[Generator, int], Scene]


@dataclass(frozen=True)
class Kind:
    """One way of drawing a class.

    Attributes:
        name: its own name.
        label: the class it is labelled as.
        draw: the function.
        sizes: shortest and longest, as shares of the picture's side; the lengths between are drawn evenly in log.
        weight: how often, beside the other kinds of its class.
    """

    name: str
    label: str
    draw: Draw
    sizes: tuple[float, float]
    weight: float = 1.0


KINDS: tuple[Kind, ...] = (
    Kind("crack", "crack", lines.crack, (0.06, 1.0), 2.0),
    Kind("star", "crack", lines.star, (0.08, 0.5), 0.6),
    Kind("crease", "crack", lines.crease, (0.1, 0.8), 0.5),
    Kind("crazing", "crazing", lines.crazing, (0.2, 1.6)),
    Kind("pit", "pit", holes.pit, (0.02, 0.12), 1.5),
    Kind("blowhole", "pit", holes.blowhole, (0.025, 0.25)),
    Kind("pinholes", "pit", holes.pinholes, (0.03, 0.2)),
    Kind("bubble", "pit", holes.bubble, (0.03, 0.2), 0.7),
    Kind("pitting", "pitting", holes.pitting, (0.12, 1.4), 1.5),
    Kind("porosity", "pitting", holes.porosity, (0.08, 0.5)),
    Kind("inclusion", "inclusion", holes.inclusion, (0.04, 0.7), 1.5),
    Kind("grit", "inclusion", holes.grit, (0.02, 0.1)),
    Kind("swarm", "scale", holes.swarm, (0.1, 1.2), 0.8),
    Kind("scale", "scale", areas.scale, (0.15, 1.4), 1.5),
    Kind("patches", "patches", areas.patches, (0.08, 1.2), 2.0),
    Kind("peeling", "patches", areas.peeling, (0.05, 0.6)),
    Kind("rough_area", "patches", areas.rough_area, (0.1, 0.9)),
    Kind("scratch", "scratch", lines.scratch, (0.08, 1.3), 2.0),
    Kind("scratches", "scratch", lines.scratches, (0.12, 1.3)),
    Kind("gouge", "scratch", lines.gouge, (0.08, 1.1)),
    Kind("scuff", "scratch", lines.scuff, (0.08, 0.7), 0.7),
    Kind("stain", "stain", areas.stain, (0.06, 0.9), 2.0),
    Kind("ring", "stain", areas.ring, (0.06, 0.5), 0.7),
    Kind("run", "stain", areas.run, (0.08, 0.5), 0.7),
    Kind("burn", "stain", areas.burn, (0.06, 0.6), 0.5),
    Kind("dent", "dent", areas.dent, (0.05, 0.5), 1.5),
    Kind("undercut", "dent", edges.undercut, (0.08, 0.6), 0.7),
    Kind("print_of_tool", "tool_mark", areas.print_of_tool, (0.04, 0.3)),
    Kind("chatter", "tool_mark", areas.chatter, (0.15, 1.2)),
    Kind("spatter", "spatter", holes.spatter, (0.04, 0.5)),
    Kind("fibre", "fibre", lines.fibre, (0.08, 0.6)),
    Kind("chip", "chip", edges.chip, (0.02, 0.2)),
    Kind("nick", "chip", edges.nick, (0.03, 0.12)),
    Kind("burr", "burr", edges.burr, (0.04, 0.3)),
    Kind("spur", "burr", edges.spur, (0.03, 0.15)),
    Kind("broken", "open", edges.broken, (0.03, 0.2)),
    Kind("bridge", "short", edges.bridge, (0.03, 0.2)),
    Kind("void", "void", edges.void, (0.018, 0.1)),
    Kind("faded", "void", made.faded, (0.1, 0.6), 0.7),
    Kind("island", "excess", edges.island, (0.018, 0.1)),
    Kind("smear", "excess", made.smear, (0.15, 0.6), 0.7),
    Kind("missing", "missing", made.missing, (0.1, 0.5)),
    Kind("displaced", "displaced", made.displaced, (0.1, 0.5)),
    Kind("missing_thread", "weave", made.missing_thread, (0.12, 1.4), 1.3),
    Kind("slub", "weave", made.slub, (0.06, 0.8)),
    Kind("knot", "weave", made.knot, (0.03, 0.12)),
    Kind("torn", "weave", made.torn, (0.03, 0.35)),
    Kind("warp", "weave", areas.warp, (0.12, 0.6), 0.5),
)
"""Every kind of defect."""

CLASSES: tuple[str, ...] = tuple(dict.fromkeys(kind.label for kind in KINDS))
"""The class names, by label."""

SURFACE = frozenset(
    [
        "crack",
        "crazing",
        "pit",
        "pitting",
        "inclusion",
        "scale",
        "patches",
        "scratch",
        "stain",
        "dent",
        "tool_mark",
        "spatter",
        "fibre",
    ]
)
_SOFT = SURFACE - {"crazing", "scale", "tool_mark", "pitting", "spatter"}
_BORDER = frozenset(("chip", "burr"))
_TRACKS = frozenset(("chip", "burr", "open", "short", "void", "excess"))
_ITEMS = frozenset(("missing", "displaced"))


@dataclass(frozen=True)
class Ground:
    """One way of drawing a ground: the function, the classes that can befall it, and how often it is taken."""

    make: Make
    classes: frozenset[str]
    weight: float = 1.0


GROUNDS: dict[str, Ground] = {
    "rolled": Ground(metal.rolled, SURFACE, 2.5),
    "brushed": Ground(metal.brushed, SURFACE, 1.2),
    "ground_flat": Ground(metal.ground_flat, SURFACE),
    "cast": Ground(metal.cast, SURFACE),
    "blasted": Ground(metal.blasted, SURFACE),
    "turned": Ground(metal.turned, SURFACE),
    "milled": Ground(metal.milled, SURFACE),
    "galvanized": Ground(metal.galvanized, SURFACE, 0.6),
    "welded": Ground(metal.welded, SURFACE | {"burr", "void"}),
    "woven": Ground(cloth.woven, _SOFT | {"weave"}, 2.0),
    "knitted": Ground(cloth.knitted, _SOFT | {"weave"}, 0.8),
    "mesh": Ground(cloth.mesh, SURFACE, 1.0),
    "leather": Ground(cloth.leather, SURFACE),
    "paper": Ground(cloth.paper, SURFACE, 0.8),
    "carpet": Ground(cloth.carpet, _SOFT, 0.5),
    "wood": Ground(mineral.wood, SURFACE),
    "marble": Ground(mineral.marble, SURFACE, 0.6),
    "granite": Ground(mineral.granite, SURFACE, 0.6),
    "concrete": Ground(mineral.concrete, SURFACE),
    "ceramic": Ground(mineral.ceramic, SURFACE),
    "glass": Ground(mineral.glass, SURFACE, 1.2),
    "painted": Ground(mineral.painted, SURFACE),
    "plastic": Ground(mineral.plastic, SURFACE),
    "artwork": Ground(layered.artwork, _TRACKS, 2.0),
    "board": Ground(layered.board, _TRACKS | {"scratch", "stain", "spatter", "fibre"}, 2.0),
    "printed": Ground(layered.printed, _ITEMS | {"void", "excess", "scratch", "stain", "burr", "open"}, 1.6),
    "part": Ground(layered.part, SURFACE | _BORDER | {"void"}, 2.0),
    "edge": Ground(layered.edge, SURFACE | _BORDER, 1.0),
    "assembly": Ground(layered.assembly, SURFACE | _ITEMS | {"chip"}, 1.8),
}
"""Every ground."""
