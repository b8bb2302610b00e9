"""Options that several verbs share: one name, one meaning, one help text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.base import AnyPath, Then
from lightdet.options.outputs import json_file
from lightdet.options.ranges import all_existing, between, device_name, existing, one_device, side, tile_side
from lightdet.storage.datasets import local_dataset
from lightdet.storage.kept import local_file
from lightdet.storage.outgoing import local_output

OnErrorChoice: TypeAlias = Literal["fail", "skip"]
PrecisionName: TypeAlias = Literal["fp32", "bf16", "fp16"]

Engine = Annotated[
    Literal["processes", "ray"], Parameter(help="Processes of this computer, or Ray, over several computers.")
]
ClusterAddress = Annotated[
    str | None,
    Parameter(metavar="ADDRESS", help="With --engine ray: a cluster that was started; default: Ray on this computer."),
]

Share = Parameter(metavar="P", validator=between(0, 1))
"""For a number in [0, 1]."""
HIDDEN = Parameter(parse=False)
"""For options that only Python has."""

_DATA = Parameter(
    name=("--data", "-d"),
    metavar="FILE",
    validator=existing,
    help="Data set, a YAML file (datasets/…) or a folder; also a URL or an archive.",
)
DataFile = Annotated[AnyPath, _DATA, Then(local_dataset)]
OptionalData = Annotated[AnyPath | None, _DATA, Then(local_dataset)]
DataFiles = Annotated[
    Sequence[Annotated[AnyPath, Then(local_dataset)]],
    Parameter(
        name=("--data", "-d"),
        metavar="FILE",
        validator=all_existing,
        help="Data set, a YAML file (datasets/…) or a folder; also a URL or an archive. Repeat it to train on several.",
    ),
]
DataRoot = Annotated[AnyPath | None, Parameter(metavar="DIR", help="The data set's folder; replaces root in its YAML.")]
ConfigFile = Annotated[
    AnyPath | None,
    Parameter(
        name=("--config", "-c"), metavar="FILE", validator=existing, help="Configuration, a YAML file (configs/…)."
    ),
]
_MODEL = Parameter(
    name=("--weights", "-w"), metavar="FILE", help="Trained model (best.safetensors), or an export of one; also a URL."
)
ModelFile = Annotated[AnyPath, _MODEL, Then(local_file)]
ModelFiles = Annotated[
    Sequence[Annotated[AnyPath, Then(local_file)]],
    _MODEL,
    Parameter(help="Trained model (best.safetensors), or an export of one; also a URL. Repeat it for several models."),
]
OptionalModel = Annotated[AnyPath | None, _MODEL, Then(local_file)]
OwnModel = Annotated[AnyPath | None, _MODEL, Then(local_file)]
"""One that is changed in place."""
Predictions = Annotated[
    AnyPath | None, Parameter(metavar="FILE", help="Instead of --weights: detections as COCO JSON.")
]
Split = Annotated[str, Parameter(metavar="NAME", help="The split of the data set.")]
Imgsz = Annotated[
    int | None, Parameter(metavar="PIXELS", validator=side, help="Side of the network input, a multiple of 32.")
]
Batch = Annotated[
    int | None,
    Parameter(name=("--batch", "-b"), metavar="N", validator=between(1), help="Pictures per batch."),
]
Confidence = Annotated[float | None, Share, Parameter(help="Lowest score of a box; default: the model's, 0.25.")]
Iou = Annotated[float | None, Share, Parameter(help="NMS threshold; default 0.55.")]
Agnostic = Annotated[bool, Parameter(help="One box per place: boxes of different classes also suppress each other.")]
MaxDetections = Annotated[
    int | None, Parameter(metavar="N", validator=between(1, 10_000), help="Most boxes per picture; default 300.")
]
Rect = Annotated[bool, Parameter(help="Letterbox long pictures to rectangles instead of squares, which is faster.")]
NoPromise = Annotated[
    bool,
    Parameter(
        help="Judge by a calibrated model's rule under any conditions; every output then says that it promises nothing."
    ),
]
Tile = Annotated[
    int | None,
    Parameter(
        metavar="PIXELS",
        validator=tile_side,
        help="Split large pictures into tiles of this side; 0: whole pictures; default: as the model was trained.",
    ),
]
Overlap = Annotated[
    float | None,
    Parameter(
        metavar="SHARE", validator=between(0, 0.9), help="Smallest overlap of tiles; default: the model's, or 0.2."
    ),
]
ZonesFile = Annotated[
    AnyPath | None,
    Parameter(
        name="--zones",
        metavar="FILE",
        validator=existing,
        help="Where to look in a picture and what to ignore: polygons in a YAML file.",
    ),
]
Device = Annotated[
    str,
    Parameter(
        metavar="NAME",
        validator=one_device,
        help="auto, cpu, cuda or cuda:0, cuda:1, … (or 0, 1); gpu for OpenVINO.",
    ),
    Then(device_name),
]
Precision = Annotated[
    PrecisionName | None, Parameter(help="Number format of the network; default fp32, or the export's own.")
]
Threads = Annotated[
    int | None, Parameter(metavar="N", validator=between(1, 1024), help="Processor threads to compute with.")
]
Seed = Annotated[int | None, Parameter(metavar="N", validator=between(0, 2**31 - 1), help="Seed of all random draws.")]
Recursive = Annotated[bool, Parameter(name=("--recursive", "-r"), help="Also search sub-folders.")]
OutputFolder = Annotated[
    AnyPath,
    Parameter(name=("--output", "-o"), metavar="DIR", help="Folder for the results."),
    Then(local_output),
]
_OPTIONAL_OUTPUT = Parameter(name=("--output", "-o"), metavar="DIR", help="Folder for the results; default: a new one.")
OptionalOutput = Annotated[AnyPath | None, _OPTIONAL_OUTPUT, Then(local_output)]
OutputOrUrl = Annotated[
    AnyPath | None,
    _OPTIONAL_OUTPUT,
    Parameter(help="Folder for the results, or its URL (s3://…); default: a new one."),
]
OnError = Annotated[
    OnErrorChoice, Parameter(help="If a picture or label is bad: stop (fail), or go on and list it at the end (skip).")
]
Database = Annotated[
    str,
    Parameter(
        metavar="FILE|URL", env_var="LIGHTDET_DATABASE", help="A SQLite file, or postgresql://user:password@host/name."
    ),
]
DATABASE = "runs/serve/inspections.sqlite3"
KeepFolder = Annotated[
    AnyPath | None,
    Parameter(
        metavar="FOLDER|URL",
        env_var="LIGHTDET_KEEP_FOLDER",
        help="Where the pictures are that 'serve --keep' keeps: a folder, or s3://bucket/folder (gs://, az://); "
        "default: 'pictures' beside the SQLite database.",
    ),
]
Json = Annotated[
    AnyPath | None,
    Parameter(metavar="FILE", validator=json_file, help="Also write the result to this file as JSON."),
]
Sources = Annotated[
    Sequence[str],
    Parameter(
        name="SOURCE",
        help="Pictures, folders, globs ('in/**/*.png'), .txt lists, videos, a camera's number (0), RTSP/HTTP URLs; "
        "for detect also zip and tar archives, s3://, gs://, az:// and https:// pictures.",
    ),
]

TrainImgsz = Annotated[
    int | None,
    Parameter(
        metavar="PIXELS",
        validator=side,
        help="Side of the network input, a multiple of 32; default: the configuration's (detectors: 608).",
    ),
]
TrainBatch = Annotated[
    int | None,
    Parameter(
        name=("--batch", "-b"),
        metavar="N",
        validator=between(1),
        help="Pictures per batch; default: the configuration's (detectors: 16).",
    ),
]
Epochs = Annotated[
    int | None,
    Parameter(
        metavar="N",
        validator=between(1),
        help="Passes over the training pictures; default: the configuration's (detectors: 100).",
    ),
]
Minutes = Annotated[
    float | None,
    Parameter(
        metavar="M", validator=between(0.01), help="Time limit from the start of the command, instead of --epochs."
    ),
]

Overrides = Annotated[
    Sequence[str], HIDDEN, Parameter(help="Configuration values to replace, as text: 'train.epochs=3'.")
]
Changes = Annotated[
    Mapping[str, Any],
    HIDDEN,
    Parameter(
        help="Configuration values to replace, by section or by dotted key: {'train.lr': 0.005}; also as keywords "
        "of their own: augment={'flip_ud': 0.5}."
    ),
]
Callbacks = Annotated[
    Sequence[Any],
    HIDDEN,
    Parameter(help="Callbacks, which follow the training and may stop it: see `lightdet.Callback`."),
]
Progress = Annotated[bool, HIDDEN, Parameter(help="Show a bar, in a terminal and in a notebook.")]


def check_engine(engine: str, address: str | None) -> None:
    """Refuse the address of a cluster that nothing would use.

    Raises:
        UserError: it is given without Ray.
    """
    if address is not None and engine != "ray":
        raise UserError("--address is that of a Ray cluster: add --engine ray")
