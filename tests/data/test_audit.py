"""An audit finds every trap that is laid, and nothing in a clean set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit import KINDS, AuditReport, Finding, audit_dataset
from lightdet.data.audit.duplicates import near_matches, thumbnail
from lightdet.data.audit.gallery import EXTREMES, MAX_CLASSES, PICTURES
from lightdet.data.audit.page import audit_page
from lightdet.data.formats.coco import write_coco
from lightdet.structures import Annotation

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
Save = Callable[..., Path]


def audit(root: Path, imgsz: int = 320) -> AuditReport:
    return audit_dataset(load_dataset(root / "data.yaml"), imgsz)


def found(report: AuditReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


def places(report: AuditReport, kind: str) -> list[tuple[str, int | None]]:
    return [(finding.path.name if finding.path else "", finding.line) for finding in found(report, kind)]


def test_a_clean_set_has_no_errors(yolo_set: Path) -> None:
    report = audit(yolo_set)
    assert report.count("error") == 0
    assert {f.kind for f in report.findings if f.severity == "warning"} == {"class-rare"}
    train = report.splits["train"]
    assert (train.pictures, train.background) == (3, 1)
    assert train.counts.tolist() == [1, 2] and train.with_class.tolist() == [1, 2]
    assert train.sizes == {(80, 60): 3} and train.modes == {"PNG RGB": 3}
    # 80 x 60 at 320 is four times as large: boxes of 20 x 30, 10 x 12 and 40 x 30 pixels.
    assert np.allclose(sorted(train.sides), [np.sqrt(40 * 48), np.sqrt(80 * 120), np.sqrt(160 * 120)])
    assert train.side_shares() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3])


def test_every_bad_line_of_every_file_is_listed(yolo_set: Path, save_picture: Save) -> None:
    bad = "5 .5 .5 .1 .1\n0 .5 .5 nan .1\n0 .5 .5 0 .1\n0 .9 .5 .4 .1\n0 .5\n1 .5 .5 .5 .5\n"
    (yolo_set / "labels" / "train" / "a.txt").write_text(bad)
    (yolo_set / "labels" / "val" / "c.txt").write_text("x\n")
    (yolo_set / "labels" / "val" / "lost.txt").write_text("")
    (yolo_set / "images" / "train" / "b.png").write_bytes(b"junk")
    half = save_picture(yolo_set / "images" / "val" / "half.jpg", size=(300, 200))
    half.write_bytes(half.read_bytes()[:-1500])
    save_picture(yolo_set / "images" / "val" / "none.png")
    report = audit(yolo_set)
    assert places(report, "class") == [("a.txt", 1)]
    assert places(report, "value") == [("a.txt", 2)]
    assert places(report, "degenerate") == [("a.txt", 3)]
    assert places(report, "outside") == [("a.txt", 4)]
    assert places(report, "format") == [("a.txt", 5), ("c.txt", 1)]
    assert places(report, "missing-picture") == [("lost.txt", None)]
    assert sorted(places(report, "picture")) == [("b.png", None), ("half.jpg", None)]
    assert any("truncated" in f.message for f in found(report, "picture"))
    assert any("2 pictures have no label file" in f.message for f in found(report, "background"))
    assert report.count("error") == 9
    assert report.splits["train"].counts.tolist() == [0, 1]  # the good line of the bad file counts


def test_a_split_that_cannot_be_read_does_not_stop_the_rest(yolo_set: Path) -> None:
    shutil.rmtree(yolo_set / "images" / "val")
    report = audit(yolo_set)
    (finding,) = found(report, "split")
    assert finding.split == "val" and "does not exist" in finding.message
    assert list(report.splits) == ["train"]


def test_odd_boxes(yolo_set: Path) -> None:
    lines = ["0 .5 .5 .5 .5", "0 .5 .5 .5 .5", "1 .5 .5 .5 .5", "0 .5 .5 .5 .49", "1 .5 .5 1 1", "1 .3 .3 .01 .2"]
    lines.append("1 .5 .0995 .25 .22")  # half a pixel above the border
    (yolo_set / "labels" / "train" / "a.txt").write_text("\n".join(lines) + "\n")
    report = audit(yolo_set)
    assert places(report, "duplicate-box") == [("a.txt", 2)]
    assert places(report, "same-place") == [("a.txt", 3), ("a.txt", 4)]
    assert "classes 'scratch' and 'dent'" in found(report, "same-place")[0].message
    assert places(report, "huge") == [("a.txt", 5)]
    assert places(report, "tiny") == [("a.txt", 6)]
    assert "3.2 x 48.0 pixels at --imgsz 320" in found(report, "tiny")[0].message
    assert places(report, "slip") == [("a.txt", 7)]
    assert places(audit(yolo_set, 640), "tiny") == []


def test_crowds_are_not_doubles(tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "images" / "a.png")
    box = np.array([[1, 1, 40, 40]] * 2, np.float32)
    crowd = np.array([True, False])
    write_coco(
        [Annotation(Path("a.png"), (80, 60), box, np.zeros(2, np.int64), crowd)], tmp_path / "a.json", ["x"], ["a.png"]
    )
    (tmp_path / "data.yaml").write_text("format: coco\nsplits: {train: {images: images, labels: a.json}}\n")
    assert not found(audit(tmp_path), "duplicate-box")


def test_copies_within_and_between_splits(yolo_set: Path, save_picture: Save) -> None:
    pictures, labels = yolo_set / "images", yolo_set / "labels"
    shutil.copy(pictures / "train" / "a.png", pictures / "train" / "copy.png")
    shutil.copy(labels / "train" / "a.txt", labels / "train" / "copy.txt")
    shutil.copy(pictures / "train" / "b.png", pictures / "val" / "b2.png")
    Image.open(pictures / "val" / "c.png").save(pictures / "train" / "c.bmp")  # other bytes, same pixels
    (labels / "val" / "b2.txt").write_text("0 .1 .1 .1 .1\n")
    report = audit(yolo_set)
    (copy,) = found(report, "duplicate")
    assert copy.severity == "warning" and copy.path and copy.path.name == "copy.png"
    assert copy.message == "is byte for byte a.png"
    leaks = sorted(found(report, "leak"), key=lambda f: str(f.path))
    assert all(f.severity == "error" and f.split == "val" for f in leaks)
    assert leaks[0].message == "is byte for byte b.png of 'train', but their labels differ"
    assert leaks[1].message == "has exactly the pixels of c.bmp of 'train', but their labels differ"
    assert not found(report, "duplicate-near") and not found(report, "leak-near")


def test_the_same_file_in_two_splits(yolo_set: Path) -> None:
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: images/train, val: images, test: images/val}\n"
    (yolo_set / "data.yaml").write_text(text)
    shared = found(audit(yolo_set), "shared")
    assert sum(f.severity == "error" for f in shared) == 3  # train within val
    assert sum(f.severity == "warning" for f in shared) == 2  # val and test share theirs


def changed(path: Path) -> dict[str, np.ndarray]:
    """What happens to a picture between two folders."""
    image = cv2.imread(str(path))
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    return {
        "jpeg.jpg": image,
        "brighter.png": np.clip(image * 0.8 + 30, 0, 255).astype(np.uint8),
        "noisy.png": np.clip(image + noise, 0, 255).astype(np.uint8),
        "half.png": cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "turned.png": np.rot90(image).copy(),
        "mirrored.png": image[:, ::-1].copy(),
        "both.png": np.rot90(image, 3)[::-1].copy(),
    }


def test_near_copies_under_what_happens_to_pictures(yolo_set: Path, save_picture: Save) -> None:
    original = save_picture(yolo_set / "images" / "train" / "p.png", size=(128, 128), seed=99)
    save_picture(yolo_set / "images" / "val" / "other.png", size=(128, 128), seed=5)
    for name, image in changed(original).items():
        cv2.imwrite(
            str(yolo_set / "images" / "val" / name),
            image,
            [cv2.IMWRITE_JPEG_QUALITY, 40] if name.endswith("jpg") else [],
        )
    report = audit(yolo_set)
    leaks = {f.path.name: f for f in found(report, "leak-near") if f.path}
    assert set(leaks) == set(changed(original))
    assert all(f.severity == "warning" and f.other == original for f in leaks.values())
    assert "looks like p.png of 'train' (correlation " in leaks["jpeg.jpg"].message


def shaded(seed: int) -> np.ndarray:
    """Fine grain under the shading that every picture of one station has."""
    y, x = np.mgrid[0:128, 0:128] / 128
    grain = np.random.default_rng(seed).normal(0, 12, (128, 128))
    return np.clip(60 + 120 * x + 40 * y * y + grain, 0, 255).astype(np.uint8)


def test_common_shading_is_no_copy() -> None:
    stack = np.stack([thumbnail(shaded(seed)) for seed in range(30)] + [thumbnail(shaded(3)[:, ::-1])])
    flat = stack.reshape(31, -1)
    assert np.corrcoef(flat[:30]).min() > 0.97  # correlation alone would call all of them copies
    matches = near_matches(stack, np.zeros(31, np.int64), 1)
    assert matches.partner[30, 0] == 3 and matches.partner[3, 0] == 30
    assert (np.delete(matches.partner[:, 0], [3, 30]) == -1).all()


def test_near_matches_agree_with_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    stack = rng.uniform(0, 255, (23, 32, 32)).astype(np.float32)
    for target, source, quarter, mirror in ((20, 4, 1, False), (21, 4, 2, True), (22, 9, 3, False)):
        view = np.rot90(stack[source], quarter)
        stack[target] = (view[:, ::-1] if mirror else view) * 0.5 + rng.normal(0, 3, (32, 32))
    groups = np.arange(23) % 2
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for i in range(23):
        for j in range(23):
            if i == j:
                continue
            views = [np.rot90(m, k).ravel() for m in (stack[j], stack[j][:, ::-1]) for k in range(4)]
            score = max(np.corrcoef(stack[i].ravel(), view)[0, 1] for view in views)
            if score >= 0.97 and score > best.get((i, int(groups[j])), (0.0, -1))[0]:
                best[i, int(groups[j])] = (score, j)
    monkeypatch.setattr("lightdet.data.audit.duplicates._BLOCK", 7)  # many blocks, one unfilled
    matches = near_matches(stack, groups, 2)
    assert {(int(i), int(g)) for i, g in np.argwhere(matches.partner >= 0)} == set(best)
    for (i, group), (score, partner) in best.items():
        assert matches.partner[i, group] == partner
        assert matches.correlation[i, group] == pytest.approx(score, abs=1e-4)


def test_flat_pictures_are_told_not_compared(yolo_set: Path) -> None:
    for value in (100, 101):
        Image.new("L", (80, 60), value).save(yolo_set / "images" / "train" / f"flat{value}.png")
    report = audit(yolo_set)
    assert sorted(places(report, "flat")) == [("flat100.png", None), ("flat101.png", None)]
    assert not found(report, "duplicate-near")


def test_empty_and_single_stacks() -> None:
    for count in (0, 1):
        matches = near_matches(np.zeros((count, 32, 32), np.float32), np.zeros(count, np.int64), 1)
        assert matches.partner.shape == (count, 1) and (matches.partner == -1).all()


def test_oddities_of_pictures(yolo_set: Path, save_picture: Save) -> None:
    folder = yolo_set / "images" / "train"
    exif = Image.Exif()
    exif[274] = 8
    save_picture(folder / "turned.jpg", exif=exif)
    save_picture(folder / "long.png", size=(400, 50))
    pages = [Image.open(save_picture(yolo_set.parent / f"{n}.png")) for n in range(3)]
    pages[0].save(folder / "pages.tiff", save_all=True, append_images=pages[1:])
    report = audit(yolo_set)
    assert places(report, "exif") == [("turned.jpg", None)]
    assert "shown as 60 x 80" in found(report, "exif")[0].message
    assert places(report, "elongated") == [("long.png", None)]
    assert places(report, "pages") == [("pages.tiff", None)] and "3 pictures" in found(report, "pages")[0].message


@pytest.mark.parametrize(
    ("peak", "depth", "message"),
    [(4000, 16, "try 'bit_depth: 12'"), (60_000, 12, "set 16"), (4000, 12, None), (60_000, 16, None)],
)
def test_bit_depth(peak: int, depth: int, message: str | None, yolo_set: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, peak, (60, 80), dtype=np.uint16)
    pixels[0, 0] = peak
    cv2.imwrite(str(yolo_set / "images" / "train" / "deep.png"), pixels)
    text = (yolo_set / "data.yaml").read_text() + f"bit_depth: {depth}\n"
    (yolo_set / "data.yaml").write_text(text)
    told = [f.message for f in found(audit(yolo_set), "bit-depth")]
    assert len(told) == (message is not None) and all(message in text for text in told if message)


def test_a_coloured_picture_among_gray_ones(yolo_set: Path) -> None:
    shutil.rmtree(yolo_set / "images" / "train")
    (yolo_set / "images" / "train").mkdir()
    shutil.rmtree(yolo_set / "labels" / "train")
    rng = np.random.default_rng(0)
    for number in range(24):
        gray = rng.integers(0, 256, (60, 80), dtype=np.uint8)
        image = np.stack([gray] * 3, axis=2)
        if number == 7:
            image[10:12, 10:60] = (0, 255, 0)
        Image.fromarray(image).save(yolo_set / "images" / "train" / f"{number}.jpg", quality=85)
    text = "format: yolo\nclasses: [x]\nsplits: {train: {images: images/train, unlabelled: background}}\n"
    (yolo_set / "data.yaml").write_text(text)
    assert places(audit(yolo_set), "colour") == [("7.jpg", None)]


def test_classes_out_of_balance(yolo_set: Path) -> None:
    text = "format: yolo\nclasses: [x, y, z, w]\nsplits: {train: images/train, val: images/val}\n"
    (yolo_set / "data.yaml").write_text(text)
    rows = "".join(f"0 {0.1 + n / 100:.3f} .5 .1 .1\n" for n in range(70))
    (yolo_set / "labels" / "train" / "a.txt").write_text(rows + "1 .5 .5 .3 .3\n")
    (yolo_set / "labels" / "train" / "b.txt").write_text("")
    (yolo_set / "labels" / "val" / "c.txt").write_text("3 .5 .5 .3 .3\n")
    report = audit(yolo_set)
    assert [f.message for f in found(report, "class-empty")] == ["no split holds a box of class 'z'"]
    absent = {(f.split, f.message.split("'")[1]) for f in found(report, "class-absent")}
    assert absent == {("val", "x"), ("train", "w")}
    assert [f.message for f in found(report, "class-rare")] == ["class 'y' has 1 box"]
    assert [f.message for f in found(report, "imbalance")] == ["'x' has 70 times as many boxes as 'y'"]


def test_pictures_in_no_split(yolo_set: Path, save_picture: Save) -> None:
    (yolo_set / "list.txt").write_text("a.png\nb.png\n")
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: {images: images/train, list: list.txt}}\n"
    (yolo_set / "data.yaml").write_text(text)
    assert places(audit(yolo_set), "unlisted") == [("clean.png", None)]


def test_what_two_splits_share_is_told_once(yolo_set: Path) -> None:
    (yolo_set / "lost.txt").write_text("a.png\n")
    (yolo_set / "labels" / "train" / "lost.txt").write_text("0 .5 .5 .1 .1\n")
    text = "format: yolo\nclasses: [x, y]\nimages: images/train\nlabels: labels/train\n"
    text += "splits: {train: a.txt, val: b.txt}\n"
    (yolo_set / "data.yaml").write_text(text)
    (yolo_set / "a.txt").write_text("a.png\n")
    (yolo_set / "b.txt").write_text("b.png\n")
    assert places(audit(yolo_set), "missing-picture") == [("lost.txt", None)]


def test_report_as_plain_values(yolo_set: Path) -> None:
    (yolo_set / "labels" / "train" / "a.txt").write_text("9 .5 .5 .1 .1\n")
    result = audit(yolo_set).as_dict()
    parsed = json.loads(json.dumps(result, allow_nan=False))
    assert parsed["errors"] == 1 and parsed["imgsz"] == 320
    assert parsed["findings"][0] == {
        "kind": "class",
        "severity": "error",
        "message": "class id 9 is out of range: 2 classes have ids 0 to 1",
        "split": "train",
        "path": str(yolo_set / "labels" / "train" / "a.txt"),
        "line": 1,
        "other": None,
    }
    assert parsed["splits"]["train"]["classes"]["dent"] == {"boxes": 1, "pictures": 1}
    assert sum(entry["share"] for entry in parsed["splits"]["train"]["box_side_at_imgsz"]["shares"]) == pytest.approx(1)


class _Page(HTMLParser):
    """Checks that tags close in order and nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_escaped_and_self_contained(yolo_set: Path) -> None:
    shutil.copy(yolo_set / "images" / "train" / "a.png", yolo_set / "images" / "train" / "<b>&copy.png")
    (yolo_set / "data.yaml").write_text((yolo_set / "data.yaml").read_text().replace("dent", "<script>dent</script>"))
    text = audit_page(audit(yolo_set), yolo_set)
    page = _Page()
    page.feed(text)
    assert not page.open
    assert page.sources and all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "<script>" not in text and "&lt;b&gt;&amp;copy.png" in text


def test_gallery_shows_each_class_and_its_extremes(tmp_path: Path, save_picture: Save) -> None:
    root, rng = tmp_path / "set", np.random.default_rng(2)
    (root / "labels" / "train").mkdir(parents=True)
    for number in range(30):
        save_picture(root / "images" / "train" / f"{number}.png", size=(200, 100))
        rows = [f"{number % 3} {x:.3f} .5 .1 .2" for x in rng.uniform(0.1, 0.9, 3)]
        rows += {4: ["0 .5 .5 .01 .02"], 7: ["0 .5 .5 .9 .9"], 9: ["0 .5 .5 .2 .1"]}.get(number, [])
        (root / "labels" / "train" / f"{number}.txt").write_text("\n".join(rows))
    text = "format: yolo\nclasses: [a, b, c, never]\nsplits: {train: images/train}\n"
    (root / "data.yaml").write_text(text)
    report = audit(root)
    assert [shelf.name for shelf in report.gallery] == ["a", "b", "c"]
    rows = dict(report.gallery[0].rows)
    assert {title: [each.image.stem for each in row][:1] for title, row in rows.items() if title != "pictures"} == {
        "smallest": ["4"],
        "largest": ["7"],
        "oddest shapes": ["9"],
    }
    assert all(each.box is None and 0 in each.labels for each in rows["pictures"])
    page = audit_page(report, root)
    assert page.count("<img ") >= 3 * (PICTURES + 2 * EXTREMES) and len(page) < 1_000_000


def test_gallery_is_bounded(yolo_set: Path) -> None:
    names = [f"c{number}" for number in range(1000)]
    (yolo_set / "data.yaml").write_text(
        f"format: yolo\nclasses: {json.dumps(names)}\nsplits: {{train: images/train, val: images/val}}\n"
    )
    (yolo_set / "labels" / "train" / "a.txt").write_text("".join(f"{n} .5 .5 .1 .1\n" for n in range(1000)))
    report = audit(yolo_set)
    assert len(report.gallery) == MAX_CLASSES
    assert f"Not shown: {1000 - MAX_CLASSES} classes" in audit_page(report, yolo_set)


def test_every_kind_is_explained() -> None:
    from typing import get_args

    from lightdet.data.faults import FaultKind

    assert set(get_args(FaultKind)) <= set(KINDS)
    assert all(kind.title and kind.advice for kind in KINDS.values())


@pytest.mark.realdata
def test_the_traps_of_neu_det(real_data: Callable[[str], Path]) -> None:
    real_data("neu-det")
    report = audit_dataset(load_dataset(DATASETS / "neu-det.yaml"), 608)
    assert report.count("error") == 0
    (copy,) = found(report, "duplicate")
    assert {copy.path and copy.path.name, copy.other and copy.other.name} == {"patches_101.jpg", "patches_105.jpg"}
    assert "their labels differ" in copy.message
    doubled = {name for name, _ in places(report, "duplicate-box")}
    assert doubled == {"crazing_120.xml", "inclusion_62.xml", "patches_198.xml"}
    (near,) = found(report, "duplicate-near")  # one piece of steel, photographed twice, a quarter turned
    assert {near.path and near.path.name, near.other and near.other.name} == {"scratches_232.jpg", "scratches_247.jpg"}


@pytest.mark.realdata
def test_the_traps_of_deeppcb(real_data: Callable[[str], Path]) -> None:
    real_data("deeppcb")
    report = audit_dataset(load_dataset(DATASETS / "deeppcb.yaml"), 640)
    assert report.count("error") == 0
    assert places(report, "colour") == [("44000020_test.jpg", None)]
    assert len(found(report, "shared")) == 499  # val is test without that picture
    for kind in ("duplicate", "leak", "duplicate-box", "slip", "outside", "tiny"):
        assert not found(report, kind)


@pytest.mark.parametrize("name", ["n" * 300 + ".png", "data:image/png;base64," + "iVBORw0K" * 1000])
def test_a_name_that_no_file_can_have_is_a_finding(name: str, tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "images" / "a.png")
    box, label = np.array([[1, 1, 40, 40]], np.float32), np.zeros(1, np.int64)
    annotations = [Annotation(Path(each), (80, 60), box, label) for each in ("a.png", "b.png")]
    write_coco(annotations, tmp_path / "a.json", ["x"], ["a.png", "b.png"])
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace("b.png", name))
    (tmp_path / "data.yaml").write_text("format: coco\nsplits: {train: {images: images, labels: a.json}}\n")
    (finding,) = found(audit(tmp_path), "missing-picture")
    assert finding.path == tmp_path / "a.json"
    assert "there is no picture" in finding.message
    assert len(finding.message) < 1000
