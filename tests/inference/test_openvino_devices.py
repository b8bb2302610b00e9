"""Which device OpenVINO gets, and that the number format it computes in is told or called unknown, never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from lightdet.errors import UserError
from lightdet.inference.openvino_runtime import compile_model, told_precision


class Told:
    """A value of an OpenVINO property."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_string(self) -> str:
        return self.text


class Compiled:
    """A compiled model on `name`, which computes as its hint says, if it tells."""

    def __init__(self, name: str, settings: dict[str, Any], *, tells: bool = True) -> None:
        self.name, self.settings, self.tells = name, settings, tells

    def get_property(self, key: str) -> Told:
        if not self.tells:
            raise RuntimeError(f"not supported property {key}")
        return Told(self.settings.get(key, "f16"))  # as on a GPU


class Core:
    """OpenVINO on a computer with these devices; those of `broken` compile nothing."""

    def __init__(self, *devices: str, discrete: str = "", broken: tuple[str, ...] = ()) -> None:
        self.available_devices = list(devices)
        self.discrete, self.broken = discrete, broken

    def get_property(self, name: str, key: str) -> str:
        assert key == "DEVICE_TYPE"
        return "Type.DISCRETE" if name == self.discrete else "Type.INTEGRATED"

    def compile_model(self, model: object, name: str, settings: dict[str, Any]) -> Compiled:
        if name == "AUTO" and "INFERENCE_PRECISION_HINT" in settings:
            raise RuntimeError("not supported property INFERENCE_PRECISION_HINT")
        if name in self.broken:
            raise RuntimeError(f"no kernel on {name}")
        return Compiled(name, settings, tells=name != "AUTO")


@pytest.mark.parametrize(
    ("core", "wanted"),
    [
        (Core("CPU"), "cpu"),
        (Core("CPU", "NPU"), "cpu"),  # it computes in fp16 alone
        (Core("CPU", "GPU"), "gpu"),
        (Core("CPU", "GPU.0", "GPU.1", discrete="GPU.1"), "gpu.1"),
        (Core("CPU", "GPU", "NPU", broken=("GPU",)), "cpu"),
        (Core("NPU"), "npu"),
    ],
    ids=lambda each: ",".join(each.available_devices) if isinstance(each, Core) else each,
)
def test_auto_is_a_device_that_computes_in_what_was_asked_for(core: Core, wanted: str) -> None:
    compiled, device = compile_model(core, None, "m.xml", threads=None, precision="fp32")
    assert device == wanted and told_precision(compiled, "fp32") == "fp32"


def test_a_device_that_was_asked_for_has_no_stand_in() -> None:
    with pytest.raises(UserError, match="cannot run on GPU"):
        compile_model(Core("CPU", "GPU", broken=("GPU",)), None, "m.xml", device="gpu", threads=None, precision="fp32")
    with pytest.raises(UserError, match="cannot run on CPU"):
        compile_model(
            Core("CPU", "GPU", broken=("GPU", "CPU")), None, "m.xml", device="auto", threads=None, precision="fp32"
        )


@pytest.mark.parametrize(
    ("computed", "made_for", "told"),
    [
        ("f32", "fp32", "fp32"),
        ("f16", "fp32", "fp16"),
        ("f32", "bf16", "fp32"),
        (None, "fp32", "unknown"),
        (None, "bf16", "unknown"),
        ("dynamic", "fp32", "unknown"),
        ("f32", "int8", "int8"),  # as it was recorded before the rest was looked at
        ("bf16", "int8", "int8+bf16"),
        ("f16", "int8", "int8+fp16"),
        (None, "int8", "unknown"),
    ],
)
def test_the_number_format_is_what_is_computed(computed: str | None, made_for: str, told: str) -> None:
    settings = {} if computed is None else {"INFERENCE_PRECISION_HINT": computed}
    assert told_precision(Compiled("X", settings, tells=computed is not None), made_for) == told
