"""Many sources, models and sinks in one process tree (docs/line.md, docs/adr/0026)."""
