"""A request to compare → trainings, scores, costs and the page; each step is stored, so that it can be continued.

`request` (the rows; no torch), `plan` (the output folder), `jobs`, `scoring`, `costs`, `provenance`, `run`.
"""
