"""How good detections are: matching, average precision, curves, confusion, and the report of it all."""
