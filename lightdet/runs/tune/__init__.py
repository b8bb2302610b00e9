"""A request to search → trainings, one per trial, and the files with their results."""
