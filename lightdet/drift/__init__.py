"""Whether the pictures are still those of the calibration: statistics without labels, and a sequential test of them."""
