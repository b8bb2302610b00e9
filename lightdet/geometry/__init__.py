"""Pure functions on boxes and pictures; shapes in every docstring."""
