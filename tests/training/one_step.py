"""Run by torchrun in `test_distributed`: the gradients of one batch, written by the first process."""

import sys
from pathlib import Path

import torch
from conftest_training import SMALL
from safetensors.torch import save_file

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.trainer import RunContext
from lightdet.config import Config, YamlFile, validate
from lightdet.training.distributed import process_group
from lightdet.training.reporting import SilentReporter


def main(data_yaml: str, output: str) -> None:
    torch.set_num_threads(1)
    # Frozen statistics: batch normalization over a share of the batch is another function than over the whole.
    config = validate(Config, YamlFile({}), [*SMALL, "train.freeze_batchnorm=true"])
    with process_group("cpu") as processes:
        trainer = build_trainer(
            config,
            load_training_data(config, load_dataset(data_yaml)),
            RunContext(
                folder=Path(output).parent / f"rank{processes.rank}",
                device=torch.device("cpu"),
                processes=processes,
                reporter=SilentReporter(),
                board=False,
            ),
        )
        trainer._training_mode()
        batch = next(trainer.loader.epoch(0))
        trainer.gradients(batch)
        if processes.is_first:
            gradients = {n: p.grad for n, p in trainer.task.network.named_parameters() if p.grad is not None}
            save_file({n: g.contiguous() for n, g in gradients.items()}, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
