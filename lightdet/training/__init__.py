"""The trainer and what it needs; it knows tasks, not models."""
