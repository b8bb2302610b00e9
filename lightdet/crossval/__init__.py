"""The result of a cross-validation: numbers by fold with their spread, and the page."""
