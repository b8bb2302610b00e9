"""``lightdet label``: boxes drawn and corrected in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lightdet.cli.common import ALL
from lightdet.errors import UserError
from lightdet.missing import how_to_install
from lightdet.options.label import LabelOptions

_NEEDED = ("fastapi", "uvicorn")


def label(options: Annotated[LabelOptions, ALL]) -> None:
    """Draw and correct boxes in the browser: a page for a folder of pictures, with or without labels.

    Every change is saved at once, in the folder's own format (YOLO, Pascal VOC, COCO, LabelMe); the pictures are never
    changed. Only this computer can reach the page. Ctrl-C or SIGTERM ends it.
    """
    import importlib.util

    from rich.console import Console

    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise UserError(f"the page needs further packages: {how_to_install('service')}")
    from lightdet.labelling.run import LabelSettings, run

    settings = LabelSettings(
        path=Path(options.folder),
        form=options.form,
        classes=tuple(options.classes),
        weights=None if options.weights is None else Path(options.weights),
        device=options.device,
        imgsz=options.imgsz,
        order=None if options.order is None else Path(options.order),
        host=options.host,
        port=options.port,
        hosts=tuple(options.allow_host),
        json=None if options.json is None else Path(options.json),
    )
    console = Console(highlight=False, soft_wrap=True)
    run(settings, lambda line: console.print(line, markup=False))
