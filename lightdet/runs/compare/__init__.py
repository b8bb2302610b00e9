"""A request to compare → trainings, scores, costs and the page; each step is kept, so that any of them can go on.

`request` (the rows; no torch), `plan` (the output folder), `trainings`, `scoring`, `costs`, `provenance`, `run`.
"""
