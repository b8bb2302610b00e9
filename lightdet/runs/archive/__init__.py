"""A model over an archive: many processes, rows in Parquet, continued where it stopped (docs/archive.md)."""
