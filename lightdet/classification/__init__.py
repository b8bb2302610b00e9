"""Classification: networks that give a whole picture one class, their training, metrics and report."""
