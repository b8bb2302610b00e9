"""A comparison as files: the results of several models on the same pictures → tables, charts and one page; no torch."""
