"""A request to search → trainings, one per trial, and the files that say what came of them."""
