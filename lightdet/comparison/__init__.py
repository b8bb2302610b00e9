"""A comparison as files: several models' results on the same pictures → tables, charts and one page; no torch."""
