"""Data sets: pictures, labels, splits, augmentation, audits."""
