"""Run by the peer's own interpreter: networks of `ultralytics` as ONNX, and in int8 for OpenVINO.

    PEER/bin/python ultralytics_export.py FOLDER SET_FOLDER IMGSZ CLASSES yolo11n yolo26n

Writes FOLDER/<name>.onnx and FOLDER/<name>_int8.xml by the package's own export, with its defaults (one picture,
simplified, float input, its own decoding inside). The weights are random, which costs the same time; the
normalizations are set by a few pictures, so that the values are of the size of a trained network's.
"""

import os
import shutil
import sys
from pathlib import Path

os.environ["YOLO_AUTOINSTALL"] = "false"

import torch
import ultralytics
import yaml
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel


def main(folder: str, dataset: str, imgsz: int, classes: int, names: list[str]) -> None:
    root = Path(dataset)
    labels = yaml.safe_load((root / "dataset.yaml").read_text())["classes"][:classes]
    data = Path("peer.yaml").resolve()
    data.write_text(yaml.safe_dump({"path": str(root), "train": "images/train", "val": "images/val", "names": labels}))
    for name in names:
        network = DetectionModel(f"{name}.yaml", nc=classes, verbose=False)
        settle(network, imgsz)
        peer = YOLO(f"{name}.yaml", verbose=False)
        network.args, network.task, network.names = peer.model.args, peer.task, dict(enumerate(labels))
        peer.model = network
        shutil.move(peer.export(format="onnx", imgsz=imgsz), Path(folder) / f"{name}.onnx")
        made = Path(peer.export(format="openvino", imgsz=imgsz, int8=True, data=str(data)))
        xml = next(made.glob("*.xml"))
        for suffix in (".xml", ".bin"):
            shutil.move(xml.with_suffix(suffix), Path(folder) / f"{name}_int8{suffix}")
    print(ultralytics.__version__)


def settle(network: torch.nn.Module, imgsz: int) -> None:
    """Give each normalization the mean and variance of what reaches it."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # plain average over the batches
            module.reset_running_stats()
    network.train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(4, 3, imgsz // 64 * 32, imgsz // 64 * 32, generator=generator))
    network.eval()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
