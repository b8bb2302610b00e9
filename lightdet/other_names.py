"""Names from other tools, and what the same thing is called here: an option, or a key of the configuration.

One name may be both: a command has the option, or takes the key. A name that would mean two things here is not listed.
"""

from __future__ import annotations

_KEYS = {
    "augment.degrees": ("rotation",),
    "augment.flip_lr": ("fliplr", "hflip", "horizontal_flip"),
    "augment.flip_ud": ("flipud", "vflip", "vertical_flip"),
    "augment.mosaic_off_epochs": ("close_mosaic", "no_aug_epochs"),
    "eval.confidence": ("conf", "conf_thres", "conf_threshold", "confidence_threshold", "score_threshold"),
    "eval.iou": ("iou_thres", "iou_threshold", "nms", "nms_iou", "nms_threshold"),
    "eval.max_detections": ("max_det", "maxdet"),
    "imgsz": ("img", "img_size", "image_size", "input_size", "resolution", "size"),
    "loss.box": ("box_loss", "box_gain"),
    "loss.classification": ("cls", "cls_loss", "cls_gain"),
    "loss.objectness": ("obj", "obj_loss", "obj_gain"),
    "train.batch": ("batch_size", "bs", "batchsize"),
    "train.cache": ("cache_images",),
    "train.clip_norm": ("clip_grad", "grad_clip", "gradient_clip", "max_norm"),
    "train.accumulate": ("accumulation", "accumulate_grad_batches", "gradient_accumulation_steps", "grad_accum"),
    "train.epochs": ("num_epochs", "n_epochs", "max_epochs", "max_epoch", "epoch"),
    "train.freeze_batchnorm": ("freeze_bn",),
    "train.lr": ("lr0", "learning_rate", "base_lr", "initial_lr", "learningrate"),
    "train.lr_final": ("lrf", "final_lr", "min_lr"),
    "train.minutes": ("time", "max_time"),
    "train.optimizer": ("optim", "optimiser"),
    "train.patience": ("early_stopping", "early_stop", "early_stopping_patience"),
    "train.precision": ("amp", "half", "fp16", "bf16", "dtype", "mixed_precision"),
    "train.save_every": ("save_period", "save_interval"),
    "train.seed": ("random_seed", "manual_seed"),
    "train.start": ("pretrained",),
    "train.sync_batchnorm": ("sync_bn",),
    "train.validate_every": ("val_interval", "eval_interval", "val_period"),
    "train.warmup_epochs": ("warmup",),
    "train.weight_decay": ("wd", "decay"),
    "train.workers": ("num_workers", "n_workers"),
}
_OPTIONS = {
    "--batch": ("batch_size", "bs", "batchsize"),
    "--confidence": ("conf", "conf_thres", "conf_threshold", "confidence_threshold", "score_threshold", "threshold"),
    "--config": ("cfg", "hyp", "cfg_file", "config_file"),
    "--data": ("dataset", "data_yaml", "datasets"),
    "--device": ("gpu", "gpus", "cuda"),
    "--epochs": ("num_epochs", "n_epochs", "max_epochs", "max_epoch", "epoch"),
    "--format": ("include",),
    "--imgsz": ("img", "img_size", "image_size", "input_size", "resolution", "size"),
    "--iou": ("iou_thres", "iou_threshold", "nms", "nms_iou", "nms_threshold"),
    "--max-detections": ("max_det", "maxdet"),
    "--minutes": ("time", "max_time"),
    "--output": ("project", "name", "out", "out_dir", "output_dir", "save_dir", "work_dir", "exp", "run_name"),
    "--overwrite": ("exist_ok", "force"),
    "--precision": ("half", "fp16", "bf16", "dtype", "amp"),
    "--save": ("save_txt", "save_json", "save_csv"),
    "--seed": ("random_seed", "manual_seed"),
    "--show": ("view_img", "display"),
    "--weights": ("model", "checkpoint", "ckpt", "model_path", "load_from"),
}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CONFIG_KEYS = _listed(
    """
    imgsz model loss augment train eval model.name model.anchors model.widths model.activation model.backbone_block
    model.heads_at model.attention_at model.gate_at model.gate loss.box loss.objectness loss.classification loss.box_iou
    loss.anchor_ratio loss.assignment loss.label_smoothing loss.objectness_balance loss.class_weights augment.mosaic
    augment.mosaic_off_epochs augment.mixup augment.copy_paste augment.flip_lr augment.flip_ud augment.rotate_90
    augment.hsv_h augment.hsv_s augment.hsv_v augment.degrees augment.translate augment.scale augment.shear
    augment.albumentations train.epochs train.minutes train.batch train.accumulate train.optimizer train.lr
    train.lr_final train.momentum train.weight_decay train.warmup_epochs train.ema_decay train.clip_norm train.probe
    train.precision train.channels_last train.pools train.replicas train.sync_batchnorm train.freeze_batchnorm
    train.image_weights train.patience train.validate_every train.save_every train.fit_anchors train.anchor_recall
    train.anchor_similarity train.workers train.threads train.start train.distill train.distill_weight train.cache
    train.cache_mib train.seed eval.confidence eval.iou eval.max_detections eval.batch eval.show_confidence
    train.keep_classes train.stand_in tiles tiles.size tiles.overlap
    """
)
"""Every key of a detector's configuration, dotted: to answer a wrong option without building the configuration."""
ARGUMENTS = {"source": "the pictures themselves, without an option: lightdet detect pictures/ …"}
"""What is not an option here, and what to write."""


def _by_name(table: dict[str, tuple[str, ...]], own: str) -> dict[str, str]:
    found = {name.rpartition(own)[2].replace("-", "_"): name for name in table}
    for ours, others in table.items():
        found |= dict.fromkeys(others, ours)
    return found


KEYS, OPTIONS = _by_name(_KEYS, "."), _by_name(_OPTIONS, "--")


def normal(name: str) -> str:
    """``--Batch-Size`` → ``batch_size``."""
    return name.strip().lstrip("-").replace("-", "_").lower()
