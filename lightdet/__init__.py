"""lightdet: a light detector for defects on industrial pictures."""
