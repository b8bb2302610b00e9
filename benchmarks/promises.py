"""Which verdicts are promised: every flag of detect, val and serve, with a checkpoint and every exported form.

    python benchmarks/promises.py FOLDER

renders pictures into FOLDER, trains a detector on them, calibrates it with an NMS threshold, most
boxes and a lowest score that are the defaults, and exports it in every form, each calibrated anew on its own
detections. Then every verb is run with every option that could change what is found: with the value of the
calibration, with another one, and with that and `--no-promise`. A cell is one of

- `promised`: judged under the conditions of the calibration, and the promise is in the output;
- `refused`: one line and exit code 2;
- `none`: judged, and every output says that nothing is promised.

What must be is known for every option (`TRIED`), so the script ends with 1 if a cell is anything else. An option of a
verb that is neither there nor in `APART` ends it at once.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import lightdet
from lightdet.cli.serve_models import model_settings
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.options.base import Options
from lightdet.options.detect import DetectOptions
from lightdet.options.serve import ServeOptions
from lightdet.options.val import ValOptions
from lightdet.service.loading import load_model, load_with_rule

SIDE = 96
PICTURES = 160
EPOCHS = 60
PROMISED, REFUSED, NONE = "promised", "refused", "none"


@dataclass(frozen=True)
class Tried:
    """An option: its values, and what each must give.

    Attributes:
        same: the value of the calibration, or one that changes no verdict; None: there is nothing to try.
        other: a value that changes what is found; None: there is none.
        must: what `other` gives.
    """

    same: Any = None
    other: Any = None
    must: str = REFUSED


ZONES = """units: share
zones:
  - name: left half
    look: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
"""
LOOKING = {
    "imgsz": Tried(SIDE, 2 * SIDE),
    "agnostic": Tried(None, True),
    "precision": Tried("fp32", "bf16"),
    "rect": Tried(None, True),
    "tile": Tried(None, 64),
    "zones": Tried(None, "zones.yaml"),
}
NMS = {"iou": Tried(0.55, 0.5), "max_detections": Tried(300, 100)}
HIDING = {"confidence": Tried(0.001, 0.99)}
SPEED = {"threads": Tried(1), "device": Tried("cpu")}
TRIED: dict[str, dict[str, Tried]] = {
    "detect": {**LOOKING, **NMS, **HIDING, **SPEED, "batch": Tried(1)},
    "val": {**LOOKING, **SPEED, "batch": Tried(1)},
    "serve": {
        **LOOKING,
        **NMS,
        **HIDING,
        **SPEED,
        "threshold": Tried(None, 0.9, NONE),
        "min_size": Tried(None, 9.0, NONE),
        "class_threshold": Tried(None, ("material=0.9",), NONE),
        "class_min_size": Tried(None, ("material=9",), NONE),
    },
}
APART = {
    "detect": """sources weights overlap no_promise recursive max_frames save output overwrite images explain show
        on_error json progress""",
    "val": """weights data predictions against split data_root overlap no_promise output pictures on_error json
        overrides progress""",
    "serve": """model overlap no_promise allow_override host port api_key_file keys allow_host tls_cert tls_key database
        station durable chain_file thumbnails keep_days keep_rows keep_gib keep keep_folder keep_band keep_picture_days
        keep_picture_gib keep_free_gib alarm_row alarm_share alarm_parts alarm_url alarm_secret_file workers concurrency
        queue max_mib max_megapixels max_parts timeout body_timeout decode_timeout label_studio_folder
        access_log json""",
}
"""What changes no picture's verdict; `overlap` says nothing without tiles, and is a condition with them."""
OPTIONS: dict[str, type[Options]] = {"detect": DetectOptions, "val": ValOptions, "serve": ServeOptions}
NMS_INSIDE = "ONNX with NMS"
FORMS: dict[str, dict[str, Any]] = {
    "checkpoint": {},
    "ONNX": {"format": "onnx"},
    NMS_INSIDE: {"format": "onnx", "nms": True},
    "ONNX, any size": {"format": "onnx", "dynamic_size": True, "batch": "dynamic"},
    "ONNX fp16": {"format": "onnx", "precision": "fp16"},
    "ONNX int8": {"format": "onnx", "precision": "int8", "max_drop": 100.0},
    "OpenVINO": {"format": "openvino"},
    "OpenVINO fp16": {"format": "openvino", "precision": "fp16"},
    "OpenVINO int8": {"format": "openvino", "precision": "int8", "max_drop": 100.0},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures and models go")
    parser.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS))
    options = parser.parse_args()
    unknown = unplaced()
    if unknown:
        print(f"options that nobody has placed: {', '.join(unknown)}")
        return 1
    models = prepare(options.folder, options.forms)
    cells = list(tried(options.folder, models))
    (options.folder / "promises.json").write_text(json.dumps([cell.__dict__ for cell in cells], indent=1))
    print(table(cells, options.forms))
    wrong = [cell for cell in cells if cell.found != cell.must]
    for cell in wrong:
        print(f"WRONG: {cell}")
    return 1 if wrong else 0


def unplaced() -> list[str]:
    """Return the options that are in neither table, or in both."""
    found = []
    for verb, kind in OPTIONS.items():
        names = {field.name for field in fields(kind)}
        apart = set(APART[verb].split())
        placed = set(TRIED[verb]) | apart
        found += [f"{verb} {name}" for name in sorted((names ^ placed) | (set(TRIED[verb]) & apart))]
    return found


def prepare(folder: Path, forms: list[str]) -> dict[str, Path]:
    """Render, train, calibrate and export what is not there yet; returns the model file of each form."""
    data, base = folder / "data", folder / "calibrated.safetensors"
    if not (data / "dataset.yaml").is_file():
        write_synthetic(data, SyntheticPlan(PICTURES, imgsz=SIDE, val=0.5))
    if not base.is_file():
        asked = {"imgsz": SIDE, "epochs": EPOCHS, "output": folder / "train", "overwrite": True, "progress": False}
        run = lightdet.train(data / "dataset.yaml", **asked)
        lightdet.calibrate(run.best, data / "dataset.yaml", output=base, escape_rate=0.5, progress=False)
    write_text(folder / "zones.yaml", ZONES)
    models = {}
    for form in forms:
        kind = FORMS[form]
        models[form] = base
        if kind:
            suffix = ".xml" if kind["format"] == "openvino" else ".onnx"
            models[form] = folder / f"{form.lower().replace(' ', '-').replace(',', '')}{suffix}"
            if not models[form].is_file():
                lightdet.export(base, data=data / "dataset.yaml", output=models[form], progress=False, **kind)
        print(f"{form}: {lightdet.load(models[form]).promise.describe()}", flush=True)
    return models


@dataclass(frozen=True)
class Cell:
    """What one command gave, and what it must give."""

    verb: str
    option: str
    form: str
    found: str
    must: str
    said: str


def tried(folder: Path, models: Mapping[str, Path]) -> Iterator[Cell]:
    """Run everything."""
    data = folder / "data" / "dataset.yaml"
    picture = sorted((folder / "data" / "images" / "val").iterdir())[0]
    for verb, options in TRIED.items():
        for name, values in [("nothing", Tried()), *options.items()]:
            for form, model in models.items():
                yield from _cells(verb, name, values, form, model, (data, picture, folder / "out"))


def _cells(
    verb: str, name: str, values: Tried, form: str, model: Path, places: tuple[Path, Path, Path]
) -> Iterator[Cell]:
    same, must = values.same, PROMISED
    if form == NMS_INSIDE and (verb == "val" or name == "confidence"):
        must = REFUSED  # the network drops the scores that mAP is measured over, and those that are asked for
    if name == "precision":  # int8 cannot be asked for: it is what a file is
        own = lightdet.load(model).runtime.precision
        same = None if own == "int8" else own
    if name == "nothing" or same is not None:
        found, said = judged(verb, model, {} if name == "nothing" else {name: same}, places)
        yield Cell(verb, shown(name, same), form, found, must, said)
    if values.other is not None:
        found, said = judged(verb, model, {name: values.other}, places)
        yield Cell(verb, shown(name, values.other), form, found, values.must, said)
        found, said = judged(verb, model, {name: values.other, "no_promise": True}, places)
        must = found if found == REFUSED else NONE  # what a file has fixed (its side, its NMS) stays refused
        yield Cell(verb, f"{shown(name, values.other)} --no-promise", form, found, must, said)


def judged(verb: str, model: Path, given: dict[str, Any], places: tuple[Path, Path, Path]) -> tuple[str, str]:
    """Judge with these options; returns what came of it, and in which words."""
    data, picture, output = places
    if "zones" in given:
        given = {**given, "zones": output.parent / given["zones"]}
    try:
        if verb == "detect":
            asked = {"output": output, "overwrite": True, "images": False, "progress": False}
            promise = lightdet.detect([picture], model, **asked, **given).promise
            holds, words = promise is not None and promise.holds, "" if promise is None else promise.describe()
        elif verb == "val":
            report = lightdet.validate(model, data, output=output / "val", pictures=0, progress=False, **given)
            stated = json.loads(report.json.read_text())["decision"]["promise"]
            holds, words = stated["holds"], stated["text"]
        else:
            [served] = model_settings(ServeOptions(model=model, **given))
            _, _, said = load_with_rule(served, load_model)
            holds, words = said.holds, said.describe()
    except UserError as error:
        return REFUSED, str(error)
    return (PROMISED if holds else NONE), words


def shown(name: str, value: object) -> str:
    """The option as it is written on a command line."""
    if name == "nothing":
        return "(nothing)"
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, tuple):
        return f"{flag} {value[0]}"
    if isinstance(value, bool):
        return flag if value else f"no {flag}"
    return f"{flag} {value}"


def table(cells: list[Cell], forms: list[str]) -> str:
    """Lay it out as Markdown, one row per command."""
    lines = [f"| verb | option | {' | '.join(forms)} |", f"| --- | --- | {' | '.join('---' for _ in forms)} |"]
    rows: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for cell in cells:
        rows[cell.verb, cell.option][cell.form] = cell.found
    for (verb, option), found in rows.items():
        lines.append(f"| {verb} | `{option}` | {' | '.join(found.get(form, '') for form in forms)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
