"""One box as each format writes it, and how it is changed without losing what else stands there."""
