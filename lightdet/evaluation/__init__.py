"""How good detections are: matching, average precision, curves, confusion matrix, and the report."""
