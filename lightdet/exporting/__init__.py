"""From a trained network to a file that runs without torch: rewritten, traced, quantized, verified."""
