"""Objects that hear how a training goes, and may ask it to stop: TensorBoard, MLflow, Weights & Biases, one's own."""
