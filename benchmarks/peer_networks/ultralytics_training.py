"""Run by the peer's own interpreter: images per second of `ultralytics` training a network from scratch.

    PEER/bin/python ultralytics_training.py SET_FOLDER IMGSZ BATCH NETWORK

Prints one JSON line. Its first epoch is left out, it warms up; validation and start-up are not counted.
"""

import json
import sys
import time
from pathlib import Path

import ultralytics
import yaml
from ultralytics import YOLO

EPOCHS = 3


def main(folder: str, imgsz: int, batch: int, network: str) -> None:
    root = Path(folder)
    names = yaml.safe_load((root / "dataset.yaml").read_text())["classes"]
    data = Path("peer.yaml")
    data.write_text(yaml.safe_dump({"path": str(root), "train": "images/train", "val": "images/val", "names": names}))
    times: list[float] = []
    begun = [0.0]
    model = YOLO(f"{network}.yaml", verbose=False)
    model.add_callback("on_train_epoch_start", lambda trainer: begun.__setitem__(0, time.perf_counter()))
    model.add_callback("on_train_epoch_end", lambda trainer: times.append(time.perf_counter() - begun[0]))
    model.train(
        data=str(data), imgsz=imgsz, batch=batch, epochs=EPOCHS, device="cpu", val=False, plots=False, save=False,
        verbose=False, project=str(Path.cwd() / "peer"), exist_ok=True, cache="ram", close_mosaic=0,
    )  # fmt: skip
    pictures = len(list((root / "images" / "train").iterdir()))
    speed = pictures / (sum(times[1:]) / len(times[1:]))
    print(json.dumps({"version": ultralytics.__version__, "images_per_second": speed}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
