"""Objects that follow a training and may stop it: TensorBoard, MLflow, Weights & Biases, your own."""
