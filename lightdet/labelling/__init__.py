"""Labelling in the browser: the labels of a folder, changed in place, with their history, and the page for it."""
