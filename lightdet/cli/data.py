"""``lightdet data``: describe, convert, split, audit or render a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.base import AnyPath
from lightdet.options.outputs import list_file, refuse_inputs
from lightdet.options.ranges import between, existing
from lightdet.options.shared import DataFile, DataRoot, Imgsz, Json, OnError, OutputFolder, Seed
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.data.synthetic import SyntheticPlan, SyntheticSet

Fraction = Parameter(metavar="SHARE")
Square = Annotated[
    int | None,
    Parameter(metavar="PIXELS", validator=between(96, 4096), help="Side of the square pictures; default 320."),
]
WidthHeight = Annotated[
    str | None, Parameter(metavar="WxH", help="Instead of --imgsz: width and height, such as 2048x1536.")
]
DefectSizes = Annotated[
    str | None,
    Parameter(
        metavar="LOW-HIGH", help="Sizes of the defects in pixels, such as 8-24; default: they grow with the pictures."
    ),
]


def convert(
    *,
    data: DataFile,
    output: OutputFolder,
    form: Annotated[
        Literal["yolo", "voc", "coco", "deeppcb", "labelme", "cvat", "label-studio", "csv-boxes", "masks"],
        Parameter(name=("--format", "-f"), help="Format to write."),
    ],
    data_root: DataRoot = None,
    link: Annotated[bool, Parameter(help="Link to the pictures instead of copying them.")] = False,
    val: Annotated[
        float | None,
        Fraction,
        Parameter(validator=between(0.01, 0.9), help="Draw train and val again."),
    ] = None,
    seed: Seed = None,
    on_error: OnError = "fail",
    json: Json = None,
) -> None:
    """Write a data set in another label format, with its YAML, into a new folder.

    With --val the pictures of all splits but 'test' are split again into 'train' and 'val', with classes spread evenly;
    similar pictures stay together.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_conversion
    from lightdet.data.convert import convert_dataset
    from lightdet.files import write_json

    console = Console()
    spec = load_dataset(data, data_root)
    refuse_inputs({"--json": json}, [data], spec)
    with counting(console, "writing") as progress:
        done = convert_dataset(
            spec, Path(output), form, link=link, on_error=on_error, val=val, seed=seed or 0, progress=progress
        )
    show_conversion(console, done)
    if json is not None:
        write_json(json, done.as_dict())


def split(
    *,
    data: DataFile,
    output: OutputFolder,
    val: Annotated[
        float, Fraction, Parameter(validator=between(0.01, 0.9), help="Share of pictures for validation.")
    ] = 0.2,
    test: Annotated[
        float, Fraction, Parameter(validator=between(0, 0.9), help="Share of pictures for a test split.")
    ] = 0.0,
    data_root: DataRoot = None,
    seed: Seed = None,
    on_error: OnError = "fail",
    json: Json = None,
) -> None:
    """Draw train, val and test again for a classifier: lists and a YAML in a new folder; no pictures are copied.

    Classes are spread evenly, and similar pictures stay in one split. An existing 'test' split is kept.
    For data sets with boxes, use 'lightdet data convert --val'.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_drawn_splits
    from lightdet.data.draw_splits import draw_splits
    from lightdet.files import write_json

    spec = load_dataset(data, data_root)
    refuse_inputs({"--json": json}, [data], spec)
    console = Console()
    with counting(console, "looking at pictures") as progress:
        done = draw_splits(spec, Path(output), val=val, test=test, seed=seed or 0, on_error=on_error, progress=progress)
    show_drawn_splits(console, done)
    if json is not None:
        write_json(json, done.as_dict())


def init(
    folder: Annotated[Path, Parameter(metavar="FOLDER", help="Folder with pictures and labels.")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=("--output", "-o"), metavar="FILE.yaml", help="YAML to write; default: FOLDER/dataset.yaml."),
    ] = None,
    form: Annotated[
        str | None,
        Parameter(name=("--format", "-f"), help="Format of the folder, if it could be in several."),
    ] = None,
    val: Annotated[
        float, Fraction, Parameter(validator=between(0.01, 0.9), help="Share of pictures for validation, if drawn.")
    ] = 0.2,
    seed: Seed = None,
) -> None:
    """Write the YAML of a folder, in the format that its files are in.

    Without a validation split, one is drawn and written as lists: similar pictures stay together, none is copied.
    """
    from rich.console import Console

    from lightdet.assembly.describe import describe_folder

    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        raise UserError("--output names the YAML to write, such as parts.yaml", path=output)
    console = Console(highlight=False, soft_wrap=True)
    spec = describe_folder(folder, output, form=form, val=val, seed=seed or 0)
    for note in spec.notes:
        console.print(note, markup=False)
    console.print(f"data set: {output or folder / 'dataset.yaml'}", markup=False)


_Doubter = Annotated[
    AnyPath | None,
    Parameter(
        name=("--weights", "-w"),
        metavar="FILE|DIR",
        validator=existing,
        help="Also list labels that are probably wrong: a detector, or better the folder of a finished crossval.",
    ),
]
_Doubts = Annotated[
    int | None,
    Parameter(metavar="N", validator=between(1, 100_000), help="Most of these labels to list; default 100."),
]
_Order = Annotated[
    Path | None,
    Parameter(
        metavar="FILE.txt",
        validator=list_file,
        help="Also write a list of their pictures, for 'lightdet label --order'.",
    ),
]


def audit(
    *,
    data: DataFile,
    data_root: DataRoot = None,
    imgsz: Imgsz = None,
    examples: Annotated[
        int, Parameter(metavar="N", validator=between(0), help="Findings to print per kind; 0 prints all.")
    ] = 5,
    weights: _Doubter = None,
    doubts: _Doubts = None,
    order: _Order = None,
    output: Annotated[
        Path | None,
        Parameter(name=("--output", "-o"), metavar="FILE.html", help="Also write a page with pictures."),
    ] = None,
    json: Json = None,
) -> int:
    """Say what is in a data set and what is wrong with it.

    Exit code 1 if there are errors (training would stop or give a wrong result), 0 if there are only warnings.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_audit, show_doubts, write_order
    from lightdet.data.audit import audit_dataset
    from lightdet.data.audit.page import audit_page
    from lightdet.files import write_json, write_text

    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise UserError("--output names the page to write, such as audit.html", path=output)
    if weights is None and (doubts is not None or order is not None):
        raise UserError(f"--{'order' if doubts is None else 'doubts'} needs --weights: a detector doubts the labels")
    console = Console()
    spec = load_dataset(data, data_root)
    refuse_inputs({"--json": json, "--order": order, "--output": output}, [data, weights], spec)
    with counting(console, "looking at pictures") as progress:
        report = audit_dataset(spec, imgsz or 608, progress=progress)
    if weights is not None:
        from lightdet.runs.label_doubts import doubt_labels

        with counting(console, "asking the detector") as progress:
            report.doubts = doubt_labels(spec, Path(weights), doubts or 100, progress=progress)
    for note in spec.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    show_audit(console, report, spec.root, examples)
    if report.doubts is not None:
        show_doubts(console, report.doubts, spec.root, examples)
        if order is not None:
            write_order(console, report.doubts, data, order)
    if json is not None:
        write_json(json, report.as_dict())
    if output is not None:
        write_text(output, audit_page(report, spec.root))
        console.print(f"page: {output}", markup=False, highlight=False)
    return 1 if report.count("error") else 0


def synth(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), metavar="DIR", help="New folder for the data set.")],
    images: Annotated[
        int, Parameter(name=("--images", "-n"), metavar="N", validator=between(1), help="Number of pictures.")
    ] = 500,
    seed: Annotated[int, Parameter(metavar="S", validator=between(0, 2**31 - 1), help="Same seed, same pictures.")] = 0,
    imgsz: Square = None,
    size: WidthHeight = None,
    defects: DefectSizes = None,
    label_format: Annotated[
        Literal["yolo", "voc", "coco"], Parameter(name="--format", help="Format of the labels.")
    ] = "yolo",
    val: Annotated[
        float, Fraction, Parameter(validator=between(0, 0.9), help="Share of pictures for validation.")
    ] = 0.2,
    clean: Annotated[
        float, Fraction, Parameter(validator=between(0, 1), help="Share of pictures without defects.")
    ] = 0.15,
    picture: Annotated[
        Literal["png", "jpg"], Parameter(help="png is lossless, jpg takes a quarter of the space.")
    ] = "png",
    recipe: Annotated[
        Literal["parts", "teacher"],
        Parameter(help="parts: six kinds on parts; teacher: many kinds and grounds, for pretraining."),
    ] = "parts",
    workers: Annotated[
        int | None,
        Parameter(metavar="N", validator=between(1, 256), help="Processes; default: chosen to fit the work."),
    ] = None,
    json: Json = None,
) -> None:
    """Render pictures of defects with their exact boxes; leaves DIR/dataset.yaml."""
    from rich.console import Console

    from lightdet.cli.data_display import counting
    from lightdet.data.synthetic import SyntheticPlan, default_workers, write_synthetic
    from lightdet.files import write_json

    if imgsz is not None and size is not None:
        raise UserError("give the pictures' size either with --imgsz (square) or with --size")
    plan = SyntheticPlan(
        images, seed, imgsz or 320, label_format, val, clean, picture, recipe, _pair(size, "x"), _pair(defects, "-")
    )
    processes = default_workers(images) if workers is None else workers
    console = Console(highlight=False, soft_wrap=True)
    with counting(console, "rendering") as progress:
        done = write_synthetic(output, plan, workers=processes, progress=progress)
    _show_synthetic(console, plan, done)
    if json is not None:
        write_json(json, done.as_dict())


def _pair(text: str | None, between_them: str) -> tuple[int, int] | None:
    """Read ``2048x1536`` or ``8-24``.

    Raises:
        UserError: anything but two whole numbers.
    """
    if text is None:
        return None
    parts = text.lower().split(between_them)
    if len(parts) != 2 or not all(part.strip().isdecimal() and len(part) < 9 for part in parts):
        example = "--size takes width and height, such as 2048x1536"
        if between_them == "-":
            example = "--defects takes the smallest and the largest size in pixels, such as 8-24"
        raise UserError(f"{example}; got '{text}'")
    return int(parts[0]), int(parts[1])


def _show_synthetic(console: Console, plan: SyntheticPlan, done: SyntheticSet) -> None:
    parts = ", ".join(f"{done.pictures[name]} {name} ({counted(done.boxes[name], 'defect')})" for name in plan.splits)
    counts = ", ".join(f"{name} {count}" for name, count in done.classes.items())
    pictures = counted(plan.images, "picture")
    width, height = plan.shape
    console.print(f"{pictures} of {width} x {height}: {parts}; {done.clean} without defects")
    console.print(f"defects: {counts}")
    console.print(f"data set: {done.yaml}", markup=False)
