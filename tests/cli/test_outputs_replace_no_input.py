"""An output is no input: what a command would write over a file that it reads, or of another kind, is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.options.outputs import json_file, list_file, refuse_inputs
from lightdet.options.val import ValOptions


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (tmp_path / "list.txt").write_text("images/a.png\n")
    (tmp_path / "set.yaml").write_text("format: yolo\nclasses: [dent]\nimages: images\nsplits: {train: list.txt}\n")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path


AUDIT = "data audit --data set.yaml"
PICK = "data pick list.txt -w model.safetensors"


@pytest.mark.parametrize(
    ("command", "victim"),
    [
        (f"{AUDIT} --json set.yaml", "set.yaml"),
        (f"{AUDIT} --json labels/a.txt", "labels/a.txt"),
        (f"{AUDIT} --json images/a.png", "images/a.png"),
        (f"{AUDIT} -w model.safetensors --order labels/a.txt", "labels/a.txt"),
        (f"{AUDIT} -w model.safetensors --order set.yaml", "set.yaml"),
        (f"{AUDIT} -w model.safetensors --order list.txt", "list.txt"),
        (f"{PICK} -o set.yaml", "set.yaml"),
        (f"{PICK} -o labels/a.txt", "labels/a.txt"),
        (f"{PICK} -o list.txt", "list.txt"),
        (f"{PICK} -o ./images/../list.txt", "list.txt"),
        (f"{PICK} --json model.safetensors", "model.safetensors"),
        ("data convert --data set.yaml -f voc -o new --json set.yaml", "set.yaml"),
        ("calibrate -w model.safetensors -d set.yaml --escape-rate 0.1 -o set.yaml", "set.yaml"),
        ("calibrate -w model.safetensors -d set.yaml --escape-rate 0.1 -o images/a.png", "images/a.png"),
        ("val -w model.safetensors -d set.yaml --json set.yaml", "set.yaml"),
        ("detect images/a.png -w model.safetensors --json images/a.png", "images/a.png"),
        ("archive query . --csv set.yaml", "set.yaml"),
        ("archive query . --sheet set.yaml", "set.yaml"),
        ("archive summary . -o set.yaml", "set.yaml"),
    ],
)
def test_what_is_there_stays(here: Path, capsys: pytest.CaptureFixture[str], command: str, victim: str) -> None:
    before = (here / victim).read_bytes()
    assert main(command.split()) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "give another name" in told
    assert (here / victim).read_bytes() == before


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture, labelled in JSON files of two formats, and a model."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(folder / "pictures/a.png")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 8, 20, 20], "area": 400, "iscrowd": 0}
    picture = {"id": 1, "file_name": "a.png", "width": 64, "height": 64}
    coco = {"images": [picture], "annotations": [box], "categories": [{"id": 1, "name": "dent"}]}
    (folder / "labels.json").write_text(json.dumps(coco))
    shape = {"label": "dent", "points": [[8, 8], [28, 28]], "shape_type": "rectangle"}
    drawn = {"imagePath": "a.png", "imageWidth": 64, "imageHeight": 64, "imageData": None, "shapes": [shape]}
    (folder / "pictures/a.json").write_text(json.dumps(drawn))
    split = "{images: pictures, labels: labels.json}"
    (folder / "coco.yaml").write_text(f"format: coco\nclasses: [dent]\nsplits: {{train: {split}, val: {split}}}\n")
    (folder / "labelme.yaml").write_text("format: labelme\nclasses: [dent]\nsplits: {train: pictures, val: pictures}\n")
    (folder / "space.yaml").write_text("train.lr: {low: 0.001, high: 0.01}\n")
    (folder / "nano.yaml").write_text("imgsz: 64\n")
    save_small_detector(folder / "m.safetensors", ("dent",))
    drawn["shapes"] = [shape, shape | {"points": [[30, 30], [50, 50]]}]
    for name, labels in (("flat", "flat"), ("apart/images", "apart/labels")):
        (folder / name).mkdir(parents=True)
        (folder / labels).mkdir(exist_ok=True)
        for index in range(5):
            Image.new("RGB", (64, 64), (index, 0, 0)).save(folder / name / f"p{index}.png")
            (folder / labels / f"p{index}.json").write_text(json.dumps(drawn | {"imagePath": f"p{index}.png"}))
    split = "format: labelme\nclasses: [dent]\nsplits: {train: apart/images, val: apart/images}\n"
    (folder / "apart.yaml").write_text(split)
    (folder / "alone").mkdir()
    pictures = [picture | {"id": index, "file_name": f"q{index}.png"} for index in range(1, 6)]
    for each in pictures:
        Image.new("RGB", (64, 64), (each["id"], 0, 0)).save(folder / "alone" / each["file_name"])
    boxes = [box | {"id": each["id"], "image_id": each["id"]} for each in pictures]
    (folder / "alone/labels.json").write_text(json.dumps(coco | {"images": pictures, "annotations": boxes}))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "train -d SET -o new --json VICTIM",
        "val -w m.safetensors -d SET --json VICTIM",
        "calibrate -w m.safetensors -d SET --escape-rate 0.1 -o new.safetensors --json VICTIM",
        "crossval -d SET -o new --json VICTIM",
        "compare nano.yaml -d SET -o new --json VICTIM",
        "tune --space space.yaml -d SET -o new --json VICTIM",
        "export -w m.safetensors -f onnx -d SET -o new.onnx --json VICTIM",
        "data audit -d SET --json VICTIM",
        "data convert -d SET -f voc -o new --json VICTIM",
        "data pick pictures -w m.safetensors -d SET --json VICTIM",
    ],
)
@pytest.mark.parametrize(
    ("data", "victim"),
    [
        ("coco.yaml", "labels.json"),
        ("labelme.yaml", "pictures/a.json"),
        ("apart.yaml", "apart/labels/p0.json"),
        ("flat", "flat/p0.json"),  # the validation pictures are drawn
        ("alone", "alone/labels.json"),
    ],
)
def test_labels_that_only_the_yaml_names_stay(
    labelled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    data: str,
    victim: str,
) -> None:
    monkeypatch.chdir(labelled)
    before = Path(victim).read_bytes()
    assert main(command.replace("SET", data).replace("VICTIM", victim).split()) == 2
    told = capsys.readouterr().err
    assert told.splitlines()[-1].endswith("--json would replace a file that is read here; give another name")
    assert Path(victim).read_bytes() == before
    assert {path.name for path in labelled.iterdir() if path.name.startswith("new")} == set()


def test_an_output_of_its_own_kind_is_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["data", "audit", "--data", "set.yaml", "--json", "audit.json"]) in (0, 1)
    json_file(None, here / "audit.json")
    list_file(None, here / "list.txt")
    list_file(None, here / "next.txt")


def test_an_earlier_result_beside_the_pictures_is_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "flat.yaml").write_text("format: yolo\nclasses: [dent]\nsplits: {train: .}\n")
    for _ in range(2):
        assert main(["data", "audit", "--data", "flat.yaml", "--json", "a.json", "-o", "a.html"]) in (0, 1)


def test_options_compare_all_their_files(here: Path) -> None:
    (here / "found.json").write_text("[]")
    with pytest.raises(UserError, match=r"found\.json: json would replace|--json would replace"):
        ValOptions(data="set.yaml", predictions="found.json", json="found.json")
    ValOptions(data="set.yaml", predictions="found.json", json="other.json")


def test_two_outputs_are_two_files(here: Path) -> None:
    with pytest.raises(UserError, match="same file as another option"):
        refuse_inputs({"--json": "a.json", "--csv": here / "a.json"}, [])
