"""Run by the peer's own interpreter: train a network of `ultralytics` for some minutes and write what it finds.

    PEER/bin/python ultralytics_detector.py SET_FOLDER IMGSZ BATCH MINUTES SEED START PICTURES OUTPUT.json

START is a network's name (``yolo11n``: from chance) or a file of weights (``yolo11n.pt``: pretrained). PICTURES names
the pictures to look at, one per line. Trained on all of the training pictures, the last epoch's averaged weights count;
nothing else of the package's recipe is changed. Prints one JSON line.
"""

import json
import sys
import time
from pathlib import Path

import ultralytics
import yaml
from ultralytics import YOLO


def main(
    folder: str, imgsz: int, batch: int, minutes: float, seed: int, start: str, pictures: str, output: str
) -> None:
    root, target = Path(folder), Path(output)
    names = yaml.safe_load((root / "dataset.yaml").read_text())["classes"]
    data = target.with_suffix(".yaml")
    data.write_text(yaml.safe_dump({"path": str(root), "train": "images/train", "val": "images/val", "names": names}))
    model = YOLO(start if start.endswith(".pt") else f"{start}.yaml", verbose=False)
    began = time.perf_counter()
    model.train(
        data=str(data), imgsz=imgsz, batch=batch, time=minutes / 60, seed=seed, device="cpu", val=False, plots=False,
        verbose=False, project=str(target.parent / "peer"), name=target.stem, exist_ok=True, cache="ram", epochs=1000,
    )  # fmt: skip
    trained = YOLO(target.parent / "peer" / target.stem / "weights" / "last.pt")
    found = []
    for path in Path(pictures).read_text().splitlines():
        boxes = trained.predict(path, imgsz=imgsz, conf=0.001, iou=0.7, max_det=300, device="cpu", verbose=False)[
            0
        ].boxes
        found += [
            {
                "file_name": Path(path).name,
                "image_id": Path(path).name,
                "category_id": names[int(label)],
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "score": score,
            }
            for box, score, label in zip(boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True)
        ]
    target.write_text(json.dumps(found))
    parameters = sum(value.numel() for value in trained.model.parameters())
    took = (time.perf_counter() - began) / 60
    print(json.dumps({"version": ultralytics.__version__, "parameters": parameters, "minutes": took}))


if __name__ == "__main__":
    set_folder, side, size, time_left, number, begin, listed, written = sys.argv[1:]
    main(set_folder, int(side), int(size), float(time_left), int(number), begin, listed, written)
